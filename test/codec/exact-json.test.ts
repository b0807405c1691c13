import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JsonNumber, parseExactJson, stringifyExactJson } from "../../src/codec/exact-json.ts";
import { JsonText } from "../../src/codec/json-text.ts";

test("numbers that JavaScript would change come back with their digits", () => {
  const changed = [
    "12345678901234567890",
    "-9007199254740993",
    "0.12345678901234567890123",
    "1e400",
    "-1E-400",
    "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345",
  ];
  for (const text of changed) {
    assert.equal(stringifyExactJson(parseExactJson(text)), text);
    const nested = `{"a":[${text},{"b":${text}}],"c":"${text}"}`;
    assert.equal(stringifyExactJson(parseExactJson(nested)), nested);
  }
  assert.equal(parseExactJson("9007199254740993"), 9_007_199_254_740_993n);
});

test("numbers that JavaScript has are numbers, however they are written", () => {
  const same: [string, number][] = [
    ["1.0", 1],
    ["1e2", 100],
    ["100000000000000000000", 1e20],
    ["0.10000000000000000000", 0.1],
    ["1.7976931348623157e308", Number.MAX_VALUE],
    ["5e-324", 5e-324],
    ["0e999999999999999999999", 0],
    ["9007199254740992", 2 ** 53],
    ["-0.000", -0],
  ];
  for (const [text, number] of same) assert.equal(parseExactJson(text), number, text);
});

test("a number that is not exact takes part in arithmetic as the nearest one", () => {
  const number = parseExactJson("0.12345678901234567890123") as JsonNumber;
  assert.ok(number instanceof JsonNumber);
  assert.equal(Number(number) * 2, Number("0.12345678901234568") * 2);
  assert.equal(JSON.stringify({ number }), '{"number":0.12345678901234568}');
  assert.equal(String(number), "0.12345678901234567890123");
});

test("everything else is as JSON.parse and JSON.stringify have it", () => {
  const property = fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
    const text = JSON.stringify(value);
    assert.equal(stringifyExactJson(parseExactJson(text)), text);
    // With a number that takes the slow path, in both directions.
    const slow = ` [ ${JSON.stringify(value, undefined, 2)} , 12345678901234567890 ] `;
    const [read, big] = parseExactJson(slow) as [unknown, unknown];
    assert.equal(big, 12_345_678_901_234_567_890n);
    assert.deepEqual(read, JSON.parse(text));
    assert.equal(stringifyExactJson([read, big]), `[${text},12345678901234567890]`);
  });
  fc.assert(property, { numRuns: 300 });
  for (const bad of ["", "01", "1.", "+1", "{", '{"a":12345678901234567890', "nul", "[1e400,]"])
    assert.throws(() => parseExactJson(bad), SyntaxError);
});

test("values that are written by rules of their own are so next to exact numbers, too", () => {
  const date = new Date(0);
  const values = {
    u: undefined,
    f: () => 1,
    d: date,
    n: Number.NaN,
    boxed: Object(5) as unknown,
    list: [undefined],
    text: "ü\ud800",
  };
  const expected = JSON.stringify(values);
  assert.equal(stringifyExactJson(values), expected);
  assert.equal(stringifyExactJson({ ...values, big: 1n }), `${expected.slice(0, -1)},"big":1}`);
  assert.equal(stringifyExactJson(undefined), undefined);
  assert.equal(stringifyExactJson({ raw: new JsonText('{"a":1.0}') }), '{"raw":{"a":1.0}}');
  assert.equal(stringifyExactJson({ toJSON: () => [2n] }), "[2]");
});

test("what cannot be written is refused in words", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  const deep = JSON.parse("[".repeat(101) + "]".repeat(101)) as unknown;
  const thrower = {
    get x() {
      throw new Error("getter");
    },
  };
  for (const value of [circle, deep, [1n, circle], thrower, { toJSON: () => circle }])
    assert.throws(() => stringifyExactJson(value), { reason: "BAD_PAYLOAD" });
});

test("a proto key stays a key on the slow path", () => {
  const text = '{"__proto__":12345678901234567890}';
  const value = parseExactJson(text) as object;
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(stringifyExactJson(value), text);
});
