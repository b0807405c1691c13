import assert from "node:assert/strict";
import { test } from "node:test";
import { createKey, sha256Of } from "../../../src/access/keys/key.ts";
import { KeyTable } from "../../../src/access/keys/key-table.ts";
import { chanceOfLonger, chanceOfMore, leakyLookup } from "./prefix-timing.ts";

const SAMPLES = 10_000;
/** By chance alone it is off by more than 0.006 once in three times, and by 0.06 never. */
const BOUND = 0.06;

test("the chance is that of pairs", () => {
  assert.equal(chanceOfMore([1, 2], [3, 4]), 1);
  assert.equal(chanceOfMore([3, 4], [1, 2]), 0);
  assert.equal(chanceOfMore([1, 1, 2], [1, 2, 2]), 2 / 3);
  assert.equal(chanceOfMore([7, 7], [7]), 0.5);
});

test("a lookup that ends at the first wrong character is noticed", () => {
  const { key, find } = leakyLookup();
  assert.ok(chanceOfLonger(find, key, key.length - 1, SAMPLES) > 0.5 + BOUND);
});

// `npm run measure:keys` takes 100,000 samples of each length, with a smaller bound.
test("how long a wrong key takes does not depend on how much of it is right", () => {
  const key = createKey();
  const table = new KeyTable<number>();
  table.set(sha256Of(key), 1);
  assert.equal(table.find(key), 1);
  const chance = chanceOfLonger((guess) => table.find(guess), key, key.length - 1, SAMPLES);
  assert.ok(Math.abs(chance - 0.5) < BOUND, `${chance}`);
});
