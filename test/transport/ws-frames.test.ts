/** Frames as RFC 6455, section 5 has them: what is written, what is unmasked, and both over a connection. */
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { WsFramer } from "../../src/transport/ws/framer.ts";
import { MAX_MESSAGE } from "../../src/transport/ws-limits.ts";
import { Mask } from "../../src/transport/ws/mask.ts";
import { ws } from "../../src/transport/ws/transport.ts";
import { Unmasker } from "../../src/transport/ws/unmasker.ts";
import type { Listener } from "../../src/transport/transport.ts";
import { RawWebSocket, frame, type FrameShape } from "./raw-websocket.ts";

const SEED = 20_261_121;
const CONTINUATION = 0;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** Around the borders between the forms of a length, between bytes and words, and of what a socket reads at once. */
const LENGTHS = [1, 2, 3, 4, 31, 32, 33, 125, 126, 127, 128, 65_520, 65_535, 65_536, 65_537, 131_072];

function patterned(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => index * 7 + (index >> 8)));
}

function naive(bytes: Uint8Array, key: Uint8Array, phase = 0): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ key[(index + phase) % 4]!));
}

/** Takes writes at once, as a socket with room does, or keeps them, as one without. */
class Sink extends Duplex {
  readonly written: Buffer[] = [];
  readonly #takes: boolean;

  constructor(takes: boolean) {
    super();
    this.#takes = takes;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.written.push(this.#takes ? Buffer.from(chunk) : chunk);
    if (this.#takes) callback();
  }

  override _writev(chunks: { chunk: Buffer }[]): void {
    this.written.push(...chunks.map(({ chunk }) => chunk));
  }
}

interface Frame {
  readonly first: number;
  readonly key: Buffer | undefined;
  readonly payload: Buffer;
}

/** Reads the one frame there is, with nothing of the transport, and sees that its length has the shortest form. */
function readFrame(bytes: Buffer): Frame {
  const short = bytes[1]! & 0x7f;
  const [size, length] =
    short < 126
      ? [0, short]
      : short === 126
        ? [2, bytes.readUInt16BE(2)]
        : [8, Number(bytes.readBigUInt64BE(2))];
  assert.equal(size, length < 126 ? 0 : length < 65_536 ? 2 : 8);
  const masked = bytes[1]! >= 0x80;
  const at = 2 + size + (masked ? 4 : 0);
  assert.equal(bytes.length, at + length);
  const key = masked ? bytes.subarray(at - 4, at) : undefined;
  const body = bytes.subarray(at);
  return { first: bytes[0]!, key, payload: key === undefined ? body : naive(body, key) };
}

test("masking by words is masking by bytes, wherever it starts and ends, and touches nothing else", () => {
  const cases = fc.record({
    bytes: fc.uint8Array({ minLength: 1, maxLength: 300, size: "max" }),
    start: fc.nat(300),
    end: fc.nat(300),
    offset: fc.nat(7),
    phase: fc.nat(3),
    key: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  });
  fc.assert(
    fc.property(cases, ({ bytes, start, end, offset, phase, key }) => {
      const to = end % (bytes.length + 1);
      const from = start % (to + 1);
      const placed = new Uint8Array(new ArrayBuffer(bytes.length + offset), offset);
      placed.set(bytes);
      const mask = new Mask();
      mask.key.set(key);
      mask.apply(placed, from, to, phase);
      const expected = Buffer.from(bytes);
      expected.set(naive(bytes.subarray(from, to), key, phase), from);
      assert.deepEqual(Buffer.from(placed), expected);
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

for (const role of ["client", "server"] as const) {
  test(`a ${role} writes binary messages of one frame, ${role === "client" ? "masked" : "not masked"}`, () => {
    const framer = new WsFramer(role);
    const sink = new Sink(true);
    for (const length of [...LENGTHS, MAX_MESSAGE]) {
      const payload = patterned(length);
      framer.write(sink, payload);
      const { first, key, payload: seen } = readFrame(sink.written.at(-1)!);
      assert.equal(first, 0x82);
      assert.equal(key !== undefined, role === "client");
      assert.ok(seen.equals(payload), `${length} bytes`);
      assert.ok(payload.equals(patterned(length)), "what was sent stays as it was");
    }
  });

  test(`a ${role} does not write to what a socket still holds`, () => {
    const framer = new WsFramer(role);
    const full = new Sink(false);
    const free = new Sink(true);
    full.cork();
    const payloads = [1, 2, 3].map((value) => Buffer.alloc(100, value));
    for (const payload of payloads) {
      framer.write(full, payload);
      framer.write(free, Buffer.alloc(200, 9));
    }
    full.uncork();
    assert.deepEqual(
      full.written.map((bytes) => readFrame(bytes).payload),
      payloads,
    );
  });
}

test("each frame of a client has a key of its own", () => {
  const framer = new WsFramer("client");
  const sink = new Sink(true);
  for (let index = 0; index < 2_000; index++) framer.write(sink, Buffer.from("x"));
  const keys = new Set(sink.written.map((bytes) => readFrame(bytes).key!.toString("hex")));
  assert.ok(keys.size > 1_990, `${keys.size} keys for 2000 frames`); // two of 32 bits may happen to be the same
});

const shapes = fc.record({
  opcode: fc.constantFrom(CONTINUATION, BINARY, PING, CLOSE, 15),
  fin: fc.boolean(),
  mask: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  length: fc.constantFrom(0, 1, 5, 40, 125, 126, 1_000, 65_535, 65_536),
});

test("unmasking leaves the same frames under a key of zero, however they are cut", () => {
  fc.assert(
    fc.property(
      fc.array(shapes, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.boolean(),
      (frames, cuts, finely) => {
        const make = (zero: boolean): Buffer =>
          Buffer.concat(
            frames.map(({ opcode, fin, mask, length }) =>
              frame({ opcode, fin, mask: zero ? Buffer.alloc(4) : mask }, patterned(length)),
            ),
          );
        const bytes = make(false);
        const borders = finely
          ? Array.from({ length: Math.min(bytes.length, 3_000) }, (_, index) => index)
          : cuts.map((cut) => cut % bytes.length);
        const at = [0, ...borders, bytes.length].toSorted((one, other) => one - other);
        const unmasker = new Unmasker();
        const chunks = at.slice(1).map((end, index) => Buffer.from(bytes.subarray(at[index], end)));
        for (const chunk of chunks) unmasker.unmask(chunk);
        assert.ok(Buffer.concat(chunks).equals(make(true)));
      },
    ),
    { seed: SEED, numRuns: 200 },
  );
});

test("lengths in a longer form than they need, and ones that nothing can have, are followed too", () => {
  const unmasker = new Unmasker();
  const long = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 5, 6, 7, 8, 0x61 ^ 5]);
  unmasker.unmask(long);
  assert.deepEqual([...long.subarray(-5)], [0, 0, 0, 0, 0x61]);
  const huge = frame({ opcode: BINARY, length: 2n ** 64n - 1n }, Buffer.from("abc"));
  unmasker.unmask(huge);
  assert.equal(huge.subarray(-3).toString(), "abc");
});

test("after a frame without a mask nothing is touched", () => {
  const bytes = Buffer.concat([
    frame({ opcode: BINARY, masked: false }, Buffer.from("x")),
    frame({ opcode: BINARY }, Buffer.from("x")),
  ]);
  const untouched = Buffer.from(bytes);
  new Unmasker().unmask(bytes);
  assert.deepEqual(bytes, untouched);
});

let listener: Listener;
let latest: ByteEnd;

before(async () => {
  listener = await ws.listen("ws://127.0.0.1:0", (connection) => {
    latest = new ByteEnd(connection);
  });
});
after(() => listener.close());

/** Messages of every length in fragments, with pings in between. */
function messages(): { readonly sent: Buffer; readonly payload: Buffer; readonly pings: number } {
  const sent: Buffer[] = [];
  const payloads: Buffer[] = [];
  const add = (shape: FrameShape, payload: Buffer): void => {
    const mask = Buffer.from([sent.length, 7, sent.length >> 1, 255]);
    sent.push(frame({ ...shape, mask }, payload));
  };
  for (const length of LENGTHS) {
    const payload = patterned(length);
    const third = Math.floor(length / 3);
    add({ opcode: BINARY }, payload);
    add({ opcode: BINARY, fin: false }, payload.subarray(0, third));
    add({ opcode: PING }, payload.subarray(0, 125));
    add({ opcode: CONTINUATION, fin: false }, payload.subarray(third, 2 * third));
    add({ opcode: CONTINUATION, fin: true }, payload.subarray(2 * third));
    payloads.push(payload, payload);
  }
  return { sent: Buffer.concat(sent), payload: Buffer.concat(payloads), pings: LENGTHS.length };
}

for (const size of [997, 65_536, 10_000_000]) {
  test(`messages, fragments and pings in writes of ${size} bytes arrive whole, and pings are answered`, async () => {
    const { sent, payload, pings } = messages();
    const raw = await RawWebSocket.open(listener.url);
    const end = latest;
    for (let at = 0; at < sent.length; at += size) raw.socket.write(sent.subarray(at, at + size));
    await end.until(() => end.length >= payload.length || end.closedCount > 0);
    assert.ok(end.bytes().equals(payload));
    const expected = Buffer.concat(
      LENGTHS.map((length) => frame({ opcode: PONG, masked: false }, patterned(length).subarray(0, 125))),
    );
    await raw.until(() => raw.received.length >= expected.length);
    assert.ok(raw.received.equals(expected), `${pings} pongs`);
    raw.socket.destroy();
    await end.over();
  });
}

test("frames that come with the request for the upgrade are read", async () => {
  const early = Buffer.concat([
    frame({ opcode: BINARY, mask: Buffer.from([9, 8, 7, 6]) }, patterned(300)),
    frame({ opcode: BINARY }, patterned(40)).subarray(0, 20), // the rest comes later
  ]);
  const raw = await RawWebSocket.open(listener.url, early);
  const end = latest;
  raw.socket.write(frame({ opcode: BINARY }, patterned(40)).subarray(20));
  await end.until(() => end.length === 340 || end.closedCount > 0);
  assert.ok(end.bytes().equals(Buffer.concat([patterned(300), patterned(40)])));
  raw.socket.destroy();
  await end.over();
});

test("what was sent right before the end of a connection is read as it was meant", async () => {
  for (const finish of [
    (raw: RawWebSocket) => void raw.socket.end(),
    (raw: RawWebSocket) => void raw.socket.end(frame({ opcode: CLOSE })),
  ]) {
    const raw = await RawWebSocket.open(listener.url);
    const end = latest;
    const payload = patterned(500_000);
    raw.socket.write(frame({ opcode: BINARY, mask: Buffer.from([3, 1, 4, 1]) }, payload));
    finish(raw);
    await end.over();
    assert.ok(end.bytes().equals(payload));
  }
});
