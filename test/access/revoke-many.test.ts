import assert from "node:assert/strict";
import { test } from "node:test";
import { revokeHalf } from "./revoke-many.ts";

// How long it takes is measured by `npm run soak:revocation`.
test("all that is under way for a revoked principal ends, and nobody else's", async () => {
  const { revoked, ended, others, othersEnded, othersLeft } = await revokeHalf({
    sessions: 100,
    polls: 100,
    streams: 20,
  });
  assert.deepEqual([revoked, ended, others, othersEnded, othersLeft], [110, 110, 110, 0, 110]);
});
