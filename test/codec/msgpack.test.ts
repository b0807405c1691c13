/** What becomes of a value on its way through the MessagePack library. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { msgpack } from "../../src/codec/msgpack.ts";

const codec = await msgpack();

function journey(value: unknown): unknown {
  const payload = codec.encode(value) as Uint8Array;
  return codec.decode(payload, 0, payload.length);
}

function read(hex: string): unknown {
  const payload = Buffer.from(hex, "hex");
  return codec.decode(payload, 0, payload.length);
}

test("values follow JSON's rules", () => {
  const inner = { toJSON: () => 1 };
  assert.deepEqual(journey({ a: undefined, b: () => 1, c: Symbol("x"), d: { toJSON: () => undefined } }), {});
  assert.deepEqual(journey([undefined, () => 1, Symbol("x")]), [null, null, null]);
  assert.deepEqual(journey({ a: { toJSON: (key: string) => [key, inner] } }), { a: ["a", 1] });
  assert.deepEqual(journey([new Number(1), new String("x"), new Boolean(false)]), [1, "x", false]);
  assert.deepEqual(journey({ ["a\ud800"]: "\udfff" }), { "a\ufffd": "\ufffd" });
  assert.equal(journey(undefined), null);
  assert.ok(Object.is(journey(-0), 0));
});

test("integers are read the same whatever their width, also as keys", () => {
  assert.deepEqual(read("94cf0000000000000001d3ffffffffffffffffd0ffcb3ff0000000000000"), [1, -1, -1, 1]);
  assert.deepEqual(read("81cf0000000100000000c3"), { "4294967296": true });
  assert.deepEqual(journey([5n, 2n ** 53n]), [5, 2n ** 53n]);
});

test("bytes that are read do not change with the payload", () => {
  const payload = Buffer.from("c403010203", "hex");
  const value = codec.decode(payload, 0, payload.length) as Uint8Array;
  payload.fill(0);
  assert.deepEqual([...value], [1, 2, 3]);
});

test("a payload is not changed by reading it", () => {
  const payload = Buffer.from("cf0000000000000001", "hex");
  codec.decode(payload, 0, payload.length);
  assert.equal(payload.toString("hex"), "cf0000000000000001");
});

test("a long text loses a byte order mark at its beginning, as the guide says", () => {
  for (const length of [10, 199, 200, 1_000]) {
    const text = `\ufeff${"x".repeat(length - 3)}`;
    assert.equal(journey(text), length > 200 ? text.slice(1) : text);
  }
});
