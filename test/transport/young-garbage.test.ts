/** Buffers come with garbage in proportion to their size: without it V8 frees them by full collections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { YoungGarbage } from "../../src/transport/young-garbage.ts";

test("a buffer comes with half its size", () => {
  const garbage = new YoungGarbage();
  garbage.add(65_536);
  assert.equal(garbage.last.length * 8, 32_768);
});

test("every buffer comes with another piece, but for small ones", () => {
  const garbage = new YoungGarbage();
  garbage.add(4_095);
  assert.equal(garbage.last.length, 0);
  garbage.add(4_096);
  const first = garbage.last;
  garbage.add(4_096);
  assert.notEqual(garbage.last, first);
  assert.equal(garbage.last.length, first.length);
});
