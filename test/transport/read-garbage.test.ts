/** Reads leave young garbage in proportion to their size: without it V8 frees their memory by full collections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadGarbage } from "../../src/transport/read-garbage.ts";

test("a read leaves a quarter of its size, in places of eight bytes", () => {
  const garbage = new ReadGarbage();
  garbage.add(65_536);
  assert.equal(garbage.last.length * 8, 16_384);
});

test("every read leaves another piece, but for small ones", () => {
  const garbage = new ReadGarbage();
  garbage.add(4_095);
  assert.equal(garbage.last.length, 0);
  garbage.add(4_096);
  const first = garbage.last;
  garbage.add(4_096);
  assert.notEqual(garbage.last, first);
  assert.equal(garbage.last.length, first.length);
});
