import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BufferLease } from "../../src/message/buffer-lease.ts";
import { Format, Message, type Encoder } from "../../src/message/message.ts";

const HEAD = "x-tag:1\ncontent-type:a/b\n";

/** A message as a session makes it: views into a buffer with other things around. */
function received(buffer: Uint8Array, head: string, payload: string): Message {
  const message = new Message();
  message.format = Format.text;
  message.head = undefined;
  message.bytes = buffer;
  message.headStart = 3;
  message.payloadStart = 3 + head.length;
  message.end = message.payloadStart + payload.length;
  new TextEncoder().encodeInto(`...${head}${payload}...`, buffer);
  return message;
}

const asText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const upperCase: Encoder = { encode: (value) => String(value).toUpperCase() };

test("a received message shows its head and payload", () => {
  const message = received(new Uint8Array(64), HEAD, "payload");
  assert.equal(message.headText(), HEAD);
  assert.equal(asText(message.payload()), "payload");
  assert.equal(message.headers.get("X-Tag"), "1");
});

test("a retained message does not change with the buffer it came from", () => {
  for (const buffer of [
    new Uint8Array(64),
    Buffer.alloc(64),
    Buffer.allocUnsafe(64),
    new Uint8Array(100).subarray(20),
  ]) {
    const message = received(buffer, HEAD, "payload");
    const kept = message.retain();
    buffer.fill(0x21);
    message.end = message.payloadStart;
    assert.equal(kept.headText(), HEAD);
    assert.equal(asText(kept.payload()), "payload");
    assert.equal(kept.format, Format.text);
    assert.ok(kept.bytes.length <= HEAD.length + "payload".length, "and keeps only its own bytes");
  }
});

test("retaining twice, or a message without payload, is no different", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii", maxLength: 20 }), fc.nat(3), (payload, times) => {
      let message = received(Buffer.alloc(64), "", payload);
      for (let time = 0; time < times; time++) message = message.retain();
      assert.equal(message.headText(), "");
      assert.equal(asText(message.payload()), payload);
    }),
  );
});

test("payloads of lent bytes are there to keep, whoever reads into the buffer next", () => {
  for (const buffer of [new Uint8Array(512), Buffer.alloc(512), new Uint8Array(600).subarray(44)]) {
    const message = received(buffer, HEAD, "payload");
    message.loan = new BufferLease(buffer);
    assert.equal(asText(message.view(message.payloadStart, message.end)), "payload");
    const first = message.payload();
    buffer.fill(0x21);
    const second = message.payload();
    assert.deepEqual([first, second].map(asText), ["payload", "payload"]);
    assert.equal(first.buffer, second.buffer, "one copy serves both");
    assert.equal(first.constructor, Uint8Array);
  }
});

test("a message made of bytes hands them over and retains a copy", () => {
  const bytes = Uint8Array.from([1, 2, 3]);
  const message = Message.ofBytes(bytes, HEAD);
  const kept = message.retain();
  bytes[0] = 9;
  assert.deepEqual([...message.payload()], [9, 2, 3]);
  assert.deepEqual([...kept.payload()], [1, 2, 3]);
  assert.equal(kept.headText(), HEAD);
  assert.equal(kept.format, Format.bytes);
});

test("a message made of a value is encoded when it is looked at, and as it is when it is retained", () => {
  const value = { text: "now", toString: () => value.text };
  const message = Message.ofValue(value, upperCase, Format.text, HEAD);
  const kept = message.retain();
  value.text = "later";
  assert.equal(asText(message.payload()), "LATER");
  assert.equal(asText(kept.payload()), "NOW");
  assert.equal(kept.headText(), HEAD);
  assert.equal(kept.format, Format.text);
});

test("a new message is empty", () => {
  const message = new Message();
  assert.equal(message.payload().length, 0);
  assert.equal(message.headText(), "");
  assert.equal(message.retain().payload().length, 0);
});
