import assert from "node:assert/strict";
import { test } from "node:test";
import { revokeHalf } from "./revoke-many.ts";

test("all that is under way for a revoked principal ends soon, and nobody else's", async () => {
  const { ms, ...counts } = await revokeHalf({ sessions: 100, polls: 100, streams: 20 });
  assert.deepEqual(
    { ...counts, heap: 0 },
    { revoked: 110, ended: 110, others: 110, othersEnded: 0, left: 0, heap: 0 },
  );
  assert.ok(ms < 60_000, `${ms} ms`);
});
