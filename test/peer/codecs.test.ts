/** Which codec writes a message, and which reads it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { kv, msgpack, protobuf, xml } from "../../src/codec/index.ts";
import { json } from "../../src/codec/json.ts";
import { createHub } from "../../src/hub/hub.ts";
import { LintelError } from "../../src/message/failure.ts";
import { connect } from "../../src/peer/connect.ts";
import type { CodecOptions, Peer, Publication } from "../../src/peer/peer.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";

type Use = (caller: Peer, worker: Peer) => Promise<void>;

/** Runs with two peers of these codecs: in one process, and connected to a hub that has none of them. */
function between(name: string, calling: CodecOptions, working: CodecOptions, use: Use): void {
  it(name, async () => {
    const transports = new TransportRegistry();
    await using hub = await createHub({ http: false, listen: ["memory:codecs"], transports });
    await using caller = await connect(hub.urls[0]!, { transports, ...calling });
    await using worker = await connect(hub.urls[0]!, { transports, ...working });
    await use(caller, worker);
  });
  if (calling !== working) return;
  it(`${name}, in one process`, async () => {
    await using hub = await createHub({ http: false, listen: [], ...calling });
    await use(hub, hub);
  });
}

const DATE = new Date("2024-02-29T12:34:56.789Z");
const RICH = { at: DATE, big: 2n ** 60n, raw: Uint8Array.of(0, 255) };
const msgpackCodec = await msgpack();
const xmlCodec = await xml();
const timestamp = await protobuf(TimestampSchema);
const duration = await protobuf(DurationSchema);
const both = { codec: msgpackCodec };

async function typeOf(
  peer: Peer,
  subject: string,
  value?: unknown,
  options = {},
): Promise<string | undefined> {
  const reply = await peer.request(subject, value, { ...options, full: true });
  return reply.headers.get("content-type");
}

function isBadPayload(error: unknown): boolean {
  return error instanceof LintelError && error.code === "invalid_argument" && error.reason === "BAD_PAYLOAD";
}

describe("the codec of a message", () => {
  between("is the peer's own for values that need one", both, both, async (caller, worker) => {
    await worker.serve("echo", (value) => value);
    const answer = await caller.request<typeof RICH>("echo", RICH);
    assert.deepEqual({ ...answer, raw: [...answer.raw] }, { ...RICH, raw: [0, 255] });
    assert.equal(await typeOf(caller, "echo", RICH), "application/msgpack");
    assert.equal(await caller.request("echo", "text"), "text");
    assert.deepEqual([...(await caller.request<Uint8Array>("echo", Uint8Array.of(1)))], [1]);
    assert.equal(await caller.request("echo"), undefined);
  });

  between(
    "is chosen for one request, and reads its answer",
    {},
    { codecs: [msgpackCodec] },
    async (caller, worker) => {
      await worker.serve("now", (value) => ({ value, at: DATE }));
      assert.deepEqual(await caller.request("now", [DATE], { codec: msgpackCodec }), {
        value: [DATE],
        at: DATE,
      });
      assert.deepEqual(await caller.request("now", []), { value: [], at: DATE.toISOString() });
    },
  );

  between(
    "is named by a content type",
    { codecs: [xmlCodec] },
    { codecs: [xmlCodec] },
    async (caller, worker) => {
      await worker.serve("type", (_, context) => context.headers.get("content-type"));
      await worker.serve("echo", (value) => value);
      const headers = { "content-type": "text/xml; charset=utf-8" };
      assert.equal(await caller.request("type", { at: DATE }, { headers }), headers["content-type"]);
      assert.deepEqual(await caller.request("echo", { at: DATE }, { headers }), { at: DATE });
      const document = '<order id="7"><item>a</item></order>';
      const expected = { order: { "@id": "7", item: "a" } };
      assert.deepEqual(await caller.request("echo", document, { headers }), expected);
      const svg = { "content-type": "application/atom+xml" };
      assert.deepEqual(await caller.request("echo", document, { headers: svg }), expected);
    },
  );

  between("is used for publications", both, both, async (caller, worker) => {
    const subscription = await worker.subscribe("at");
    void caller.publish("at", { at: DATE });
    void caller.publish("at", { at: DATE }, { codec: json });
    const got: Publication[] = [];
    for await (const publication of subscription) if (got.push(publication) === 2) break;
    assert.deepEqual(
      got.map(({ value }) => value),
      [{ at: DATE }, { at: DATE.toISOString() }],
    );
  });
});

describe("the codec of an answer", () => {
  between(
    "is that of the request",
    { codec: xmlCodec, codecs: [msgpackCodec] },
    { codec: msgpackCodec, codecs: [xmlCodec] },
    async (caller, worker) => {
      await worker.serve("now", () => ({ at: DATE }));
      assert.equal(await typeOf(caller, "now", {}), "application/xml");
      assert.equal(await typeOf(caller, "now", {}, { codec: msgpackCodec }), "application/msgpack");
      assert.deepEqual(await caller.request("now", {}), { at: DATE });
    },
  );

  between(
    "is another that the caller reads when it cannot be that of the request",
    { codec: kv, codecs: [msgpackCodec] },
    { codec: xmlCodec, codecs: [kv, msgpackCodec] },
    async (caller, worker) => {
      await worker.serve("size", (value) => Object.keys(value as object).length);
      await worker.serve("echo", (value) => value);
      assert.equal(await typeOf(caller, "echo", { a: "x" }), kv.contentType);
      assert.deepEqual(await caller.request("echo", { a: "x" }), { a: ["x"] });
      assert.equal(await typeOf(caller, "size", { a: "x" }), "application/msgpack");
      assert.equal(await caller.request("size", { a: "x" }), 1);
    },
  );

  between(
    "is the caller's favourite when the request has no value",
    both,
    { codec: xmlCodec, codecs: [msgpackCodec] },
    async (caller, worker) => {
      await worker.serve("now", () => ({ at: DATE }));
      assert.equal(await typeOf(caller, "now"), "application/msgpack");
      assert.equal(await typeOf(caller, "now", "text"), "application/msgpack");
      assert.equal(
        await typeOf(caller, "now", undefined, { headers: { accept: "application/xml" } }),
        "application/xml",
      );
    },
  );

  between("is JSON for a caller that says nothing", {}, both, async (caller, worker) => {
    await worker.serve("now", () => ({ at: DATE }));
    for (const value of [undefined, "text", {}]) {
      assert.deepEqual(await caller.request("now", value), { at: DATE.toISOString() });
    }
    const headers = { accept: "*/*" };
    assert.deepEqual(await caller.request("now", undefined, { headers }), { at: DATE.toISOString() });
  });

  between("is the handler's own when nothing else carries the value", {}, both, async (caller, worker) => {
    await worker.serve("big", () => 2n ** 60n);
    const reply = await caller.request("big", {}, { full: true });
    assert.equal(reply.headers.get("content-type"), "application/msgpack");
    assert.equal(Buffer.from(reply.body).toString("hex"), "cf1000000000000000");
  });

  between("fails when none carries the value", {}, { codec: kv }, async (caller, worker) => {
    await worker.serve("big", () => [2n ** 60n]);
    await assert.rejects(caller.request("big", {}), { code: "internal", reason: "HANDLER_FAILED" });
  });

  const schemas = { codec: timestamp, codecs: [duration] };
  between("is found by its message among those of one type", schemas, schemas, async (caller, worker) => {
    await worker.serve("since", () => create(DurationSchema, { seconds: 5n }));
    await worker.serve("never", () => create(DurationSchema, {}));
    const at = create(TimestampSchema, { seconds: 1n });
    assert.equal(await typeOf(caller, "since", at), "application/protobuf;message=google.protobuf.Duration");
    assert.deepEqual(await caller.request("since", at), create(DurationSchema, { seconds: 5n }));
    assert.deepEqual(await caller.request("never", at), create(DurationSchema, {}));
  });
});

describe("what cannot be read", () => {
  between("is bytes when its type is unknown", {}, { codecs: [msgpackCodec] }, async (caller, worker) => {
    await worker.serve("echo", (value) => value instanceof Uint8Array);
    for (const type of ["application/xml", "application/protobuf;message=some.Other", "image/png"]) {
      assert.equal(await caller.request("echo", "x", { headers: { "content-type": type } }), true);
    }
  });

  between(
    "is refused, with the offset, when its type is known",
    {},
    { codecs: [msgpackCodec, xmlCodec, kv] },
    async (caller, worker) => {
      await worker.serve("echo", () => assert.fail("it was read"));
      const rows: [type: string, payload: Uint8Array, offset: number][] = [
        ["application/msgpack", Uint8Array.of(0x92, 1), 1],
        ["application/xml", Buffer.from("<é>&x;</é>"), 7],
        ["application/x-netstring-kv", Buffer.from("000;2:a,"), 6],
      ];
      for (const [type, payload, offset] of rows) {
        const failed = caller.request("echo", payload, { headers: { "content-type": type } });
        await assert.rejects(
          failed,
          (error) => isBadPayload(error) && (error as Error).message.endsWith(`at offset ${offset}`),
        );
      }
    },
  );

  it("is refused at the caller too", async () => {
    await using hub = await createHub({ http: false, listen: [], codecs: [msgpackCodec] });
    await hub.serve("bad", (_, context) => {
      context.reply.headers["content-type"] = "application/msgpack";
      return Uint8Array.of(0xc1);
    });
    await assert.rejects(hub.request("bad"), isBadPayload);
  });
});
