/** What may be put into a stream of bytes, and that nothing else than that ever comes out of it. */
import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { LintelError, connect, createHub, type Codec, type Hub, type Peer } from "../../src/index.ts";
import { GOOD_CHUNKS, WRONG_CHUNKS, dirtyMemory } from "./chunk-table.ts";

let hub: Hub;
let peer: Peer;
const errors: unknown[] = [];
const restore = dirtyMemory();

before(async () => {
  hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  peer = await connect(hub.urls[0]!, { onError: (error) => void errors.push(error) });
});

after(async () => {
  restore();
  await peer.close();
  await hub.close();
});

const SOURCES: Readonly<Record<string, (chunk: unknown) => object>> = {
  "a ReadableStream": (chunk) => streamOf([chunk, Buffer.from("!")]),
  "a Node stream": (chunk) => Readable.from([chunk, Buffer.from("!")]),
};

function streamOf(chunks: readonly unknown[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

let subjects = 0;

/** What somebody reads of a handler's answer that is this stream. */
async function readFrom(source: object): Promise<string> {
  const subject = `chunks.${subjects++}`;
  const service = await peer.serve(subject, () => source);
  try {
    const answer = await peer.request<ReadableStream<Uint8Array>>(subject);
    return Buffer.from(await new Response(answer).arrayBuffer()).toString("latin1");
  } finally {
    await service.close();
  }
}

for (const [kind, source] of Object.entries(SOURCES)) {
  describe(`${kind} of bytes`, () => {
    for (const [name, { make, text }] of Object.entries(GOOD_CHUNKS)) {
      test(`takes ${name}`, async () => assert.equal(await readFrom(source(make())), `${text}!`));
    }
    for (const [name, make] of Object.entries(WRONG_CHUNKS)) {
      if (kind === "a Node stream" && name === "null") continue; // Node's own end of a stream
      test(`is broken off by ${name}, and its owner is told`, async () => {
        errors.length = 0;
        await assert.rejects(readFrom(source(make())));
        assert.ok(errors.some((error) => error instanceof TypeError));
      });
    }
  });
}

describe("a WritableStream that came with a request", () => {
  async function write(chunk: unknown): Promise<{ failed: unknown; text: string | undefined }> {
    const subject = `chunks.${subjects++}`;
    let failed: unknown;
    const service = await peer.serve(subject, async (value) => {
      const writer = (value as WritableStream<unknown>).getWriter();
      try {
        await writer.write(chunk);
        await writer.close();
      } catch (error) {
        failed = error;
      }
    });
    const sink = new PassThrough();
    const text = sink.toArray().then(
      (parts: Buffer[]) => Buffer.concat(parts).toString("latin1"),
      () => undefined,
    );
    sink.on("error", () => undefined);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    readable
      .pipeTo(
        new WritableStream({
          write: (part) => void sink.write(part),
          close: () => void sink.end(),
          abort: () => void sink.destroy(),
        }),
      )
      .catch(() => undefined);
    await peer.request(subject, writable);
    await service.close();
    return { failed, text: await text };
  }

  for (const [name, { make, text }] of Object.entries(GOOD_CHUNKS)) {
    test(`takes ${name}`, async () => assert.deepEqual(await write(make()), { failed: undefined, text }));
  }
  for (const [name, make] of Object.entries(WRONG_CHUNKS)) {
    test(`refuses ${name}, and its reader learns that nothing more comes`, async () => {
      const { failed, text } = await write(make());
      assert.ok(failed instanceof TypeError);
      assert.equal(text, undefined);
    });
  }
});

describe("a codec of somebody's own", () => {
  const codec = (encoded: unknown): Codec => ({
    name: "odd",
    contentType: "application/x-odd",
    supports: { kinds: [], depth: 0, empty: true, strict: false },
    encode: () => encoded as string,
    decode: () => "",
    transfer: () => "",
  });
  for (const [name, make] of Object.entries(WRONG_CHUNKS)) {
    test(`that makes ${name} of a value is told so by an error`, async () => {
      const odd = await connect(hub.urls[0]!, { codec: codec(make()) });
      try {
        const refused = (error: unknown): boolean =>
          error instanceof LintelError || error instanceof TypeError;
        await assert.rejects(odd.request("chunks.none", { a: 1 }), refused);
      } finally {
        await odd.close();
      }
    });
  }
});
