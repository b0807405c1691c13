/** Byte streams on HTTP/2 streams of their own: that they are, and what becomes of bypasses nobody should have opened. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { after, before, describe, test } from "node:test";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { LintelError } from "../../src/message/failure.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import {
  bindBytes,
  frameBytes,
  helloBytes,
  serveBytes,
  timeoutPrefix,
  withHeaders,
  FrameLog,
} from "../wire/frame-bytes.ts";
import { Relay } from "./counting-relay.ts";

const SIZE = 3_000_000;

/** A request that is a stream, the one that was opened before. */
const UPLOAD = withHeaders(
  { type: 16, target: 1, id: 1, flags: 4 },
  { ":value": "stream" },
  "",
  timeoutPrefix(20_000),
);

/** Bytes that tell where they belong. */
const PATTERN = Buffer.from(Uint8Array.from({ length: 600_000 }, (_, at) => at % 251));

function piece(at: number, length: number): Buffer {
  return Buffer.from(PATTERN.subarray(at % 251, (at % 251) + length));
}

function bytes(size: number, onCancel: (why: unknown) => void = () => undefined): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at >= size) return controller.close();
        const chunk = piece(at, Math.min(50_000, size - at));
        at += chunk.length;
        return controller.enqueue(chunk);
      },
      cancel: onCancel,
    },
    { highWaterMark: 0 },
  );
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<number> {
  let at = 0;
  for await (const chunk of stream) {
    assert.ok(piece(at, chunk.length).equals(chunk), `other bytes than were sent, from ${at} on`);
    at += chunk.length;
  }
  return at;
}

let hub: Hub;
let relay: Relay;
let peer: Peer;
let port: number;
const canceled: unknown[] = [];

before(async () => {
  hub = await createHub({
    http: false,
    listen: ["h2c://127.0.0.1:0/lintel", "tcp://127.0.0.1:0"],
    onError: () => undefined,
  });
  port = Number(new URL(hub.urls[0]!).port);
  relay = new Relay(port);
  peer = await connect(await relay.listen(), { onError: () => undefined });
  await hub.serve("up", (stream) => readAll(stream as ReadableStream<Uint8Array>));
  await hub.serve("down", (size) => bytes(size as number, (why) => canceled.push(why)));
  await hub.serve("echo", (value) => value);
});

after(async () => {
  await peer.close();
  await hub.close();
  relay.close();
});

describe("over one HTTP/2 connection", () => {
  test("G-10: large streams travel on HTTP/2 streams of their own, both ways, small ones do not", async () => {
    assert.equal(await readAll(await peer.request<ReadableStream>("down", 60_000)), 60_000);
    assert.equal(relay.up.opened.length, 1, "the session is alone");
    assert.equal(await peer.request("up", bytes(SIZE)), SIZE);
    const [upSession, upBypasses] = relay.up.split;
    assert.ok(upBypasses > SIZE / 2 && upSession < SIZE / 2, `${upSession} and ${upBypasses} bytes`);
    assert.equal(await readAll(await peer.request<ReadableStream>("down", SIZE)), SIZE);
    const [downSession, downBypasses] = relay.down.split;
    assert.ok(downBypasses > SIZE / 2 && downSession < SIZE / 2, `${downSession} and ${downBypasses} bytes`);
    assert.deepEqual(relay.up.opened, [1, 3, 5]);
  });

  test("between HTTP/2 and TCP the pace of the reader reaches the source, either way", async () => {
    const other = await connect(hub.urls[1]!, { onError: () => undefined });
    for (const [from, to] of [
      [other, peer],
      [peer, other],
    ] as const) {
      const subject = from === peer ? "paced.h2" : "paced.tcp";
      let sent = 0;
      const source = async function* (): AsyncGenerator<Uint8Array> {
        for (; sent < 15_000_000; sent += 50_000) yield await Promise.resolve(new Uint8Array(50_000));
      };
      const service = await from.serve(subject, () => ReadableStream.from(source()));
      const reader = (await to.request<ReadableStream<Uint8Array>>(subject)).getReader();
      let read = 0;
      while (read < 500_000) read += (await reader.read()).value!.length;
      for (let beforeNow = -1; beforeNow !== sent;) {
        beforeNow = sent;
        for (let turn = 0; turn < 20; turn++) await peer.request("echo", turn);
      }
      // Two windows of credit, one of HTTP/2, and what a stream keeps to hand out.
      assert.ok(sent - read < 3_500_000, `${sent - read} bytes are on their way`);
      while (read < 15_000_000) read += (await reader.read()).value!.length;
      assert.equal((await reader.read()).done, true);
      await service.close();
    }
    await other.close();
  });

  test("more streams than there are bypasses, some read slowly, some given up: all that are read are whole", async () => {
    const slow: ReadableStreamDefaultReader<Uint8Array>[] = [];
    const { opened } = relay.up;
    const earlier = opened.length;
    const all = Array.from({ length: 75 }, async (_, n) => {
      if (n % 3 === 0) return assert.equal(await peer.request("up", bytes(300_000 + n)), 300_000 + n);
      const size = n % 3 === 1 ? 300_000 + n : 5_000_000;
      const stream = await peer.request<ReadableStream<Uint8Array>>("down", size);
      if (n % 3 === 1) return assert.equal(await readAll(stream), 300_000 + n);
      const reader = stream.getReader();
      for (let count = 0; count < 150_000;) count += (await reader.read()).value!.length;
      return void slow.push(reader);
    });
    await Promise.all(all);
    assert.equal(await peer.request("echo", "still here"), "still here");
    assert.ok(opened.length > earlier + 10, "bypasses were used");
    canceled.length = 0;
    await Promise.all(slow.map((reader) => reader.cancel(new LintelError("canceled", "enough"))));
    while (canceled.length < slow.length) await peer.request("echo", 1);
    assert.deepEqual([...new Set(canceled.map((why) => (why as LintelError).message))], ["enough"]);
    const sofar = opened.length;
    assert.equal(await peer.request("up", bytes(SIZE)), SIZE);
    assert.equal(opened.length, sofar + 1, "there is room for bypasses again");
  });

  test("a reset says why from either end, in the middle of a bypass", async () => {
    await hub.serve("refuses", async (stream) => {
      const reader = (stream as ReadableStream<Uint8Array>).getReader();
      for (let count = 0; count < 200_000;) count += (await reader.read()).value!.length;
      await reader.cancel(new LintelError("out_of_range", "too long"));
    });
    const stopped = await new Promise<LintelError>((resolve) => {
      void peer.request(
        "refuses",
        bytes(15_000_000, (why) => resolve(why as LintelError)),
      );
    });
    assert.deepEqual([stopped.code, stopped.message], ["out_of_range", "too long"]);
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 10; count++) yield await Promise.resolve(new Uint8Array(50_000));
      throw new LintelError("data_loss", "the tape is torn");
    };
    await hub.serve("torn", () => ReadableStream.from(failing()));
    await assert.rejects(readAllOf(await peer.request<ReadableStream>("torn")), {
      message: "the tape is torn",
    });
  });

  test("a connection that is cut in the middle of bypasses: both ends hear it, and the next has bypasses again", async () => {
    const stream = await peer.request<ReadableStream<Uint8Array>>("down", 15_000_000);
    const reader = stream.getReader();
    for (let count = 0; count < 400_000;) count += (await reader.read()).value!.length;
    const up = peer.request("up", bytes(15_000_000));
    canceled.length = 0;
    relay.cut();
    await assert.rejects(up, { reason: "CONNECTION_LOST" });
    await assert.rejects(
      async () => {
        for (;;) if ((await reader.read()).done) assert.fail("it looked like an end");
      },
      { reason: "CONNECTION_LOST" },
    );
    for (;;) {
      const answer = await peer.request("echo", 1).catch(() => undefined);
      if (answer === 1) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((canceled[0] as LintelError).reason, "CONNECTION_LOST");
    assert.equal(await peer.request("up", bytes(SIZE)), SIZE);
    assert.ok(relay.up.split[1] > SIZE / 2);
  });
});

async function readAllOf(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader();
  while (!(await reader.read()).done);
}

describe("bypasses nobody should have opened", () => {
  /** A session by hand on HTTP/2, and the token of its bypasses. */
  async function session(): Promise<{
    readonly client: ClientHttp2Session;
    readonly stream: ClientHttp2Stream;
    readonly frames: FrameLog;
    readonly token: string;
  }> {
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    client.on("error", () => undefined);
    const pinged = once(client, "ping") as Promise<[Buffer]>;
    const stream = client.request({
      ":method": "POST",
      ":path": "/lintel",
      "content-type": "application/lintel.v1",
    });
    stream.on("error", () => undefined);
    const frames = new FrameLog();
    let skip = 10;
    stream.on("data", (chunk: Buffer) => {
      const from = Math.min(skip, chunk.length);
      skip -= from;
      frames.push(chunk.subarray(from));
    });
    const [token] = await pinged;
    const limits = {
      "max-payload": "1048576",
      "max-headers": "32768",
      "max-streams": "9",
      "max-bypasses": "9",
    };
    stream.write(helloBytes(limits));
    await frames.next(2);
    return { client, stream, frames, token: token.toString("base64url") };
  }

  async function ask(
    client: ClientHttp2Session,
    name: string,
    method = "POST",
  ): Promise<[number, ClientHttp2Stream]> {
    const stream = client.request(
      {
        ":method": method,
        ":path": "/lintel",
        "content-type": "application/lintel.v1+bypass",
        "lintel-bypass": name,
      },
      { endStream: false },
    );
    stream.on("error", () => undefined);
    stream.resume();
    const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders & { ":status": number }];
    return [headers[":status"], stream];
  }

  /** The other session works, and the hub holds nothing of the stranger's. */
  async function harmless(client: ClientHttp2Session): Promise<void> {
    assert.equal(await peer.request("up", bytes(SIZE)), SIZE);
    client.destroy();
    while (hub.stats().sessions > 1) await new Promise((resolve) => setImmediate(resolve));
  }

  test("G-11: the token of nobody, of another connection, and names that are none", async () => {
    const [one, other] = [await session(), await session()];
    assert.equal((await ask(one.client, `${other.token}/up/1`))[0], 404);
    assert.equal((await ask(one.client, `${"A".repeat(11)}/up/1`))[0], 404);
    for (const name of ["", one.token, `${one.token}/sideways/1`, `${one.token}/up/0`, `${one.token}/up/1e3`])
      assert.equal((await ask(one.client, name))[0], 404, name);
    assert.equal((await ask(one.client, `${one.token}/up/1`, "PUT"))[0], 405);
    other.client.destroy();
    await harmless(one.client);
  });

  test("G-12: for a stream that is not there, and twice for one that is", async () => {
    const { client, stream, frames, token } = await session();
    assert.equal((await ask(client, `${token}/up/1`))[0], 410);
    assert.equal((await ask(client, `${token}/down/2`))[0], 410);
    stream.write(Buffer.concat([bindBytes(1, "up"), frameBytes({ type: 32, target: 1, aux: 1 }), UPLOAD]));
    // READY of a service tells that what came before it has been read.
    stream.write(serveBytes(1, "never"));
    await frames.next(11);
    const [status, bypass] = await ask(client, `${token}/up/1`);
    assert.equal(status, 200);
    assert.equal((await ask(client, `${token}/up/1`))[0], 410);
    assert.equal((await ask(client, `${token}/down/1`))[0], 410, "it does not send");
    // Never said to be used, and far more than a window: it stays where it is.
    let taken = 0;
    const chunk = Buffer.alloc(65_536);
    for (let count = 0; count < 64; count++) bypass.write(chunk, () => void (taken += chunk.length));
    assert.equal(await peer.request("up", bytes(SIZE)), SIZE);
    assert.ok(taken < 2_000_000, `${taken} bytes were taken`);
    await harmless(client);
  });

  test("P-135: a bypass that is cut short is no end, however clean it looks", async () => {
    const { client, stream, frames, token } = await session();
    stream.write(
      Buffer.concat([
        bindBytes(1, "up"),
        frameBytes({ type: 32, target: 1, aux: 1 }),
        UPLOAD,
        serveBytes(1, "never"),
      ]),
    );
    await frames.next(11);
    const [, bypass] = await ask(client, `${token}/up/1`);
    stream.write(frameBytes({ type: 44, target: 1 }));
    bypass.end(PATTERN.subarray(0, 251));
    stream.write(frameBytes({ type: 35, target: 1, id: 252 }));
    const reset = await frames.next(36);
    assert.match(reset.body.toString(), /reason:CONNECTION_LOST/);
    await harmless(client);
  });
});
