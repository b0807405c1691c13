import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { form } from "../../src/codec/form.ts";
import { LintelError } from "../../src/message/failure.ts";

function decode(text: string): unknown {
  const bytes = new TextEncoder().encode(`&&${text}&x=after`);
  return form.decode(bytes, 2, bytes.length - "&x=after".length);
}

test("fields are strings, repeated ones arrays", () => {
  assert.deepEqual(decode("a=1&b=x+y&c=%26%3D&a=2&a=3&d&=e"), {
    a: ["1", "2", "3"],
    b: "x y",
    c: "&=",
    d: "",
    "": "e",
  });
  assert.deepEqual(decode(""), {});
});

test("any fields come back", () => {
  const fields = fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string({ unit: "grapheme" })), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(fields, (pairs) => {
      const decoded = decode(new URLSearchParams(pairs).toString()) as Record<string, unknown>;
      for (const [name] of pairs) {
        const values = pairs.filter(([other]) => other === name).map(([, value]) => value);
        assert.ok(Object.hasOwn(decoded, name));
        assert.deepEqual(decoded[name], values.length === 1 ? values[0] : values);
      }
      assert.equal(Object.keys(decoded).length, new Set(pairs.map(([name]) => name)).size);
    }),
  );
});

test("names that mean something to JavaScript mean nothing", () => {
  const value = decode("__proto__=x&__proto__=y&constructor=z&toString=s") as Record<string, unknown>;
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(Object.entries(value), [
    ["__proto__", ["x", "y"]],
    ["constructor", "z"],
    ["toString", "s"],
  ]);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

test("JSON that was called a form is JSON", () => {
  assert.deepEqual(decode('{"a":[1]}'), { a: [1] });
  assert.deepEqual(decode("[1]"), [1]);
  assert.throws(
    () => decode("{a=1"),
    (error) => error instanceof LintelError && error.reason === "BAD_PAYLOAD",
  );
});

test("a million fields take no quadratic time", () => {
  const value = decode("a&".repeat(500_000)) as { a: string[] };
  assert.equal(value.a.length, 500_000);
});

test("transfer gives what a journey gives", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string({ unit: "binary" })), (fields) => {
      const bytes = new TextEncoder().encode(form.encode(fields) as string);
      assert.deepEqual(form.transfer(fields), form.decode(bytes, 0, bytes.length));
    }),
  );
});
