/** WebSocket peers that break the rules: each is told why, or cut off, and none makes the hub hold more than a message. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { MAX_MESSAGE } from "../../src/transport/ws-limits.ts";
import { ws } from "../../src/transport/ws/transport.ts";
import type { Listener } from "../../src/transport/transport.ts";
import { RawWebSocket, frame } from "./raw-websocket.ts";

let listener: Listener;
let latest: ByteEnd;

before(async () => {
  listener = await ws.listen("ws://127.0.0.1:0", (connection) => {
    latest = new ByteEnd(connection);
  });
});
after(() => listener.close());

const BINARY = 2;
const PING = 9;
const CLOSE = 8;
const closing = (code: number, reason: Uint8Array = Buffer.alloc(0)): Buffer => {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame({ opcode: CLOSE }, Buffer.concat([payload, reason]));
};

const BROKEN: readonly (readonly [name: string, sent: Buffer, code: number])[] = [
  ["a frame without a mask", frame({ opcode: BINARY, masked: false }, Buffer.from("x")), 1002],
  ["reserved bit 1, as if compressed", frame({ opcode: BINARY, reserved: 4 }, Buffer.from("x")), 1002],
  ["reserved bit 2", frame({ opcode: BINARY, reserved: 2 }, Buffer.from("x")), 1002],
  ["reserved bit 3", frame({ opcode: BINARY, reserved: 1 }, Buffer.from("x")), 1002],
  ["an opcode nobody knows", frame({ opcode: 3 }, Buffer.from("x")), 1002],
  ["a control opcode nobody knows", frame({ opcode: 11 }), 1002],
  ["a continuation of nothing", frame({ opcode: 0 }, Buffer.from("x")), 1002],
  ["a ping in fragments", frame({ opcode: PING, fin: false }), 1002],
  ["a ping that is too long", frame({ opcode: PING }, Buffer.alloc(126)), 1002],
  [
    "a message inside another",
    Buffer.concat([frame({ opcode: BINARY, fin: false }, Buffer.from("x")), frame({ opcode: BINARY })]),
    1002,
  ],
  ["a text message", frame({ opcode: 1 }, Buffer.from("hello")), 1003],
  ["a text message that is no UTF-8", frame({ opcode: 1 }, Buffer.from([0xff, 0xfe])), 1007],
  ["a message of 2^63 bytes", frame({ opcode: BINARY, length: 2n ** 63n - 1n }), 1009],
  ["a message of 4 GiB", frame({ opcode: BINARY, length: 2n ** 32n }), 1009],
  ["a byte more than a message may have", frame({ opcode: BINARY, length: BigInt(MAX_MESSAGE) + 1n }), 1009],
  ["close code 1005", closing(1005), 1002],
  ["close code 999", closing(999), 1002],
  ["close code 1006", closing(1006), 1002],
  ["a close of one byte", frame({ opcode: CLOSE }, Buffer.from([3])), 1002],
  ["a close whose reason is no UTF-8", closing(1000, Buffer.from([0xff])), 1007],
];

for (const [name, sent, code] of BROKEN) {
  test(`${name}: ${code}`, async () => {
    const raw = await RawWebSocket.open(listener.url);
    const end = latest;
    raw.socket.write(sent);
    assert.equal(await raw.closeCode(), code);
    raw.socket.destroy();
    await end.over();
    assert.equal(end.length, 0, "nothing of it was taken for bytes of the stream");
    assert.equal(end.closedCount, 1);
  });
}

test("what comes after a message that was refused is dropped", async () => {
  const raw = await RawWebSocket.open(listener.url);
  const end = latest;
  const bytes = frame({ opcode: BINARY }, Buffer.from("bytes"));
  raw.socket.write(Buffer.concat([bytes, frame({ opcode: 1 }, Buffer.from("text")), bytes]));
  assert.equal(await raw.closeCode(), 1003);
  raw.socket.destroy();
  await end.over();
  assert.equal(end.bytes().toString(), "bytes");
});

test("who does not answer a close is cut off", async () => {
  const raw = await RawWebSocket.open(listener.url);
  const end = latest;
  raw.socket.write(frame({ opcode: 1 }, Buffer.from("text")));
  await raw.rest();
  await end.over();
});

test("a close is answered with its code, and is no error", async () => {
  const raw = await RawWebSocket.open(listener.url);
  const end = latest;
  raw.socket.write(closing(1000, Buffer.from("bye")));
  assert.equal(await raw.closeCode(), 1000);
  await end.over();
  assert.equal(end.error, undefined);
});

test("a connection that ends without a close says so", async () => {
  const raw = await RawWebSocket.open(listener.url);
  const end = latest;
  raw.socket.end();
  await end.over();
  assert.match(String(end.error), /without a WebSocket close/);
});

test("frames one byte at a time are read all the same", async () => {
  const raw = await RawWebSocket.open(listener.url);
  const end = latest;
  for (const byte of frame({ opcode: BINARY }, Buffer.from("slow but legal")))
    raw.socket.write(Buffer.from([byte]));
  await end.until(() => end.length === 14);
  raw.socket.destroy();
  await end.over();
});

test("a flood of fragments ends the connection before it costs more than a message", async () => {
  for (const payload of [Buffer.alloc(0), Buffer.alloc(1)]) {
    const raw = await RawWebSocket.open(listener.url);
    const end = latest;
    const fragment = frame({ opcode: 0, fin: false }, payload);
    const many = Buffer.concat(Array.from({ length: 1_024 }, () => fragment));
    raw.socket.write(frame({ opcode: BINARY, fin: false }));
    for (let index = 0; index < 129; index++) raw.socket.write(many);
    assert.equal(await raw.closeCode(), 1008);
    raw.socket.destroy();
    await end.over();
    assert.equal(end.length, 0);
  }
});

test("messages that never end are held up to the size of one, and given up with it", async () => {
  const held = process.memoryUsage().arrayBuffers;
  const raws: RawWebSocket[] = [];
  for (let index = 0; index < 20; index++) {
    const raw = await RawWebSocket.open(listener.url);
    raws.push(raw);
    // All but the last byte of the largest message there may be.
    raw.socket.write(frame({ opcode: BINARY, length: BigInt(MAX_MESSAGE) }, Buffer.alloc(MAX_MESSAGE - 1)));
    await new Promise<void>((resolve) => raw.socket.write("", () => resolve()));
  }
  const grown = process.memoryUsage().arrayBuffers - held;
  assert.ok(grown < 20 * 3 * MAX_MESSAGE, `20 connections hold ${grown} bytes`);
  for (const raw of raws) raw.socket.destroy();
  await latest.over();
});

test("a flood of pings that are not read for ends the connection", async () => {
  const raw = await RawWebSocket.open(listener.url);
  const end = latest;
  raw.socket.pause();
  const pings = Buffer.concat(Array.from({ length: 512 }, () => frame({ opcode: PING }, Buffer.alloc(125))));
  while (end.closedCount === 0) {
    if (!raw.socket.write(pings)) await new Promise((resolve) => setImmediate(resolve));
  }
  raw.socket.destroy();
});
