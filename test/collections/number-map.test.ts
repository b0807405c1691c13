import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NumberMap } from "../../src/collections/number-map.ts";

const MAX = 0xffff_ffff;
// Keys that share their low bits stand in the way of each other at every size.
const hostile = fc.nat(40).map((number) => (number * 65_536 + 7) >>> 0);
const key = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  hostile,
  fc.integer({ min: 1, max: MAX }),
  fc.constantFrom(MAX, 2 ** 31),
);
const command = fc.tuple(
  fc.constantFrom("set", "set", "set", "take", "get", "clear"),
  key,
  fc.integer({ min: 1, max: MAX }),
);

test("does what a Map does", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 400, size: "max" }), (commands) => {
      const map = new NumberMap();
      const model = new Map<number, number>();
      for (const [index, [name, one, value]] of commands.entries()) {
        if (name === "set" && !model.has(one)) {
          map.set(one, value);
          model.set(one, value);
        } else if (name === "take") {
          assert.equal(map.take(one), model.get(one) ?? 0);
          model.delete(one);
        } else if (name === "clear" && index % 16 === 0) {
          assert.deepEqual(
            map.clear().toSorted((a, b) => a - b),
            [...model.values()].toSorted((a, b) => a - b),
          );
          model.clear();
        }
        assert.equal(map.get(one), model.get(one) ?? 0);
        assert.equal(map.size, model.size);
      }
      for (const [one, value] of model) assert.equal(map.get(one), value);
    }),
    { numRuns: 300 },
  );
});

test("zero is no key, also where another key has been", () => {
  const map = new NumberMap();
  assert.equal(map.get(0), 0);
  map.set(64, 5);
  assert.equal(map.get(0), 0);
  assert.equal(map.take(0), 0);
  assert.equal(map.take(64), 5);
  assert.equal(map.get(0), 0);
  assert.equal(map.take(0), 0);
  assert.equal(map.size, 0);
});

test("keys that count up and end in order never pile up", () => {
  const map = new NumberMap();
  for (let next = 1; next <= 100_000; next++) {
    map.set(next, next + 1);
    if (next > 50) assert.equal(map.take(next - 50), next - 49);
  }
  assert.equal(map.size, 50);
});

test("fifty thousand keys chosen to collide are found all the same", () => {
  const map = new NumberMap();
  const keys = Array.from({ length: 50_000 }, (_, index) => ((index + 1) * 65_536 + (index >>> 15)) >>> 0);
  const distinct = [...new Set(keys)].filter((one) => one !== 0);
  for (const one of distinct) map.set(one, 1);
  assert.equal(map.size, distinct.length);
  for (const one of distinct) assert.equal(map.take(one), 1);
  assert.equal(map.size, 0);
});
