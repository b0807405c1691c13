import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LintelError } from "../../src/message/failure.ts";
import {
  MessageHeaders,
  findHeader,
  formatHeaders,
  headerLine,
  type HeadersInit,
} from "../../src/message/headers.ts";

const NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+.^_`|~-";
const name = fc
  .tuple(
    fc.constantFrom("", "", ":"),
    fc.string({ unit: fc.constantFrom(...NAME_CHARACTERS), minLength: 1, maxLength: 8 }),
  )
  .map(([colon, rest]) => colon + rest);
const fewNames = fc.constantFrom("a", ":a", "b", "ab", "__proto__", "constructor", ":method", "content-type");
const isControl = (character: string): boolean => /[\u0000-\u0008\u000a-\u001f\u007f]/.test(character);
const value = fc
  .string({ unit: "binary" })
  .map((text) => [...text].filter((one) => !isControl(one)).join(""));
const pairs = fc.array(fc.tuple(fc.oneof(name, fewNames), value), { maxLength: 8 });

const isBadHeader = (error: unknown): boolean =>
  error instanceof LintelError && error.code === "invalid_argument" && error.reason === "BAD_HEADER";

test("any legal names and values come back in order", () => {
  fc.assert(
    fc.property(pairs, (entries) => {
      const block = entries.map(([key, text]) => headerLine(key, text)).join("");
      const headers = new MessageHeaders(block);
      assert.deepEqual([...headers], entries);
      for (const key of [...entries.map(([known]) => known), "missing", ":missing"]) {
        const values = entries.filter(([other]) => other === key).map(([, text]) => text);
        assert.equal(headers.get(key), values[0]);
        assert.deepEqual(headers.getAll(key), values);
        assert.equal(headers.has(key), values.length > 0);
        if (values.length > 0) assert.equal(headers.toJSON()[key], values.join(", "));
      }
    }),
    { numRuns: 1_000 },
  );
});

test("findHeader finds in a block what a full parse finds, whatever the block", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", ":", "\n", " ", "é"), maxLength: 24 });
  const line = fc.tuple(fewNames, value).map(([key, one]) => `${key}:${one}\n`);
  fc.assert(
    fc.property(fc.array(fc.oneof(text, line), { maxLength: 6 }), fewNames, (parts, key) => {
      const block = parts.join("");
      const first = [...new MessageHeaders(block)].find(([other]) => other === key);
      assert.equal(findHeader(block, key), first?.[1]);
    }),
    { numRuns: 2_000 },
  );
});

test("names are case-insensitive and repeat as arrays", () => {
  const block = formatHeaders({
    "X-Tag": ["1", "2"],
    ":method": "GET",
    "Content-Type": "a/b",
    empty: "",
    none: [],
  });
  assert.equal(block, "x-tag:1\nx-tag:2\n:method:GET\ncontent-type:a/b\nempty:\n");
  const headers = new MessageHeaders(block);
  assert.equal(headers.get("X-TAG"), "1");
  assert.deepEqual(headers.getAll("X-Tag"), ["1", "2"]);
  assert.equal(headers.get(":method"), "GET");
  assert.equal(headers.get("method"), undefined);
  assert.equal(headers.get("empty"), "");
  assert.equal(headers.get("tag"), undefined, "the end of a longer name is another name");
  assert.deepEqual(
    { ...headers.toJSON() },
    { "x-tag": "1, 2", ":method": "GET", "content-type": "a/b", empty: "" },
  );
});

test("a header named __proto__ is one like any other", () => {
  const headers = new MessageHeaders("__proto__:x\nconstructor:y\n");
  assert.equal(headers.get("__proto__"), "x");
  assert.deepEqual(Object.entries(headers.toJSON()), [
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

test("no value smuggles a line or a control character in", () => {
  for (let unit = 0; unit < 256; unit++) {
    const text = `a${String.fromCharCode(unit)}b`;
    const legal = unit === 9 || (unit >= 32 && unit !== 127);
    if (legal) assert.equal(headerLine("x", text), `x:${text}\n`);
    else assert.throws(() => headerLine("x", text), isBadHeader, String(unit));
  }
  assert.throws(() => formatHeaders({ ok: "1", bad: ["fine", "a\r\nx-admin:1"] }), isBadHeader);
});

test("names are HTTP field names, with one leading colon at the most", () => {
  for (const bad of [
    "",
    ":",
    "::a",
    "a:b",
    "a b",
    "a\n",
    "\na",
    "a\u0000",
    "é",
    "a(b)",
    " a",
    "a ",
    "a,b",
    '"a"',
    "a\r",
  ]) {
    assert.throws(() => headerLine(bad, "x"), isBadHeader, JSON.stringify(bad));
  }
});

test("a value that is neither a string nor a list of strings is refused", () => {
  for (const bad of [1, true, null, undefined, {}, new Date(0), [1], [undefined]]) {
    assert.throws(
      () => formatHeaders({ x: bad } as unknown as HeadersInit),
      isBadHeader,
      JSON.stringify(bad),
    );
  }
});
