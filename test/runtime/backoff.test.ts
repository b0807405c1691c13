import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_JITTER, backoffMs } from "../../src/runtime/backoff.ts";

test("waits double up to the longest, and half of each is random", () => {
  const limits = { firstMs: 100, lastMs: 1_000 };
  const all = [1, 2, 3, 4, 5, 6, 10_000, Infinity];
  assert.deepEqual(
    all.map((failures) => backoffMs(limits, failures, () => 0)),
    [50, 100, 200, 400, 500, 500, 500, 500],
  );
  assert.deepEqual(
    all.map((failures) => backoffMs(limits, failures, NO_JITTER)),
    [100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000],
  );
});
