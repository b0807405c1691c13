import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { inOneLine, itemsOf, membersOf, textAt } from "../../src/codec/json-slices.ts";
import { cpuTime } from "../house/cpu-time.ts";

const bytesOf = (text: string): Buffer => Buffer.from(text);

function members(text: string, start = 0): Record<string, string> {
  const bytes = bytesOf(text);
  return Object.fromEntries(
    [...membersOf(bytes, start)].map(([name, slice]) => [name, textAt(bytes, slice)]),
  );
}

function items(text: string): string[] {
  const bytes = bytesOf(text);
  return itemsOf(bytes).map((slice) => textAt(bytes, slice));
}

test("members as they are written", () => {
  const CASES: readonly [text: string, members: Record<string, string>][] = [
    ["{}", {}],
    [" { } ", {}],
    ['{"a":1.0}', { a: "1.0" }],
    ['\n{ "a" :\t-0 , "b":1e400\r\n}', { a: "-0", b: "1e400" }],
    ['{"a":"x\\"}]","b":["}",{"c":"]"}],"d":null}', { a: '"x\\"}]"', b: '["}",{"c":"]"}]', d: "null" }],
    ['{"a\\"b":"\\\\","c":"\\\\\\""}', { 'a"b': '"\\\\"', c: '"\\\\\\""' }],
    ['{"ü":"é","\\u00e9":2}', { ü: '"é"', é: "2" }],
    ['{"a":1,"a":2.0}', { a: "2.0" }],
    ['{"2":a,"1":b}'.replace("a", "1").replace("b", "2"), { "1": "2", "2": "1" }],
    ['{"":{"":{}}}', { "": '{"":{}}' }],
  ];
  for (const [text, expected] of CASES) assert.deepEqual(members(text), expected, text);
  assert.deepEqual(members('{"x":{"y":0.10}}', 5), { y: "0.10" });
  const [name, slice] = [...membersOf(bytesOf('{"__proto__":1.0}'))][0]!;
  assert.deepEqual([name, slice], ["__proto__", { start: 13, end: 16 }]);
});

test("items as they are written", () => {
  const CASES: readonly [text: string, items: string[]][] = [
    ["[]", []],
    [" [ ] ", []],
    ["[1.0]", ["1.0"]],
    ['[ 1.0 ,"],[", [[], {"a":[]}] ,\n-0 ]', ["1.0", '"],["', '[[], {"a":[]}]', "-0"]],
    ["[true,false,null]", ["true", "false", "null"]],
  ];
  for (const [text, expected] of CASES) assert.deepEqual(items(text), expected, text);
});

test("every part of any JSON is found, however it is spaced", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
      const text = JSON.stringify(value, undefined, space);
      assert.equal(JSON.stringify(JSON.parse(inOneLine(text))), JSON.stringify(value));
      if (Array.isArray(value)) {
        const parts = items(text).map((part): unknown => JSON.parse(part));
        assert.equal(JSON.stringify(parts), JSON.stringify(value));
      } else if (typeof value === "object" && value !== null) {
        const parts = Object.entries(members(text)).map(([name, part]) => [name, JSON.parse(part)] as const);
        assert.equal(JSON.stringify(Object.fromEntries(parts)), JSON.stringify(value));
      }
    }),
  );
});

test("long strings are passed over in one go", () => {
  const text = `["\\\\\\"${"\\\\".repeat(300_000)}",{"a":"${'\\"'.repeat(300_000)}"}]`;
  const startedAt = cpuTime();
  assert.equal(items(text).length, 2);
  assert.ok(cpuTime() - startedAt < 2_000);
});
