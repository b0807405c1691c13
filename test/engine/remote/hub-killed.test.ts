import assert from "node:assert/strict";
import { test } from "node:test";
import { PATIENCE_MS } from "../../house/until.ts";
import { killHub, type Balance } from "./killed-hub.ts";

test("a hub that is killed under load, 3 times: all are back, every request has one outcome", async () => {
  const rounds: Balance[] = [];
  await killHub(
    (done) => done === 3,
    (round) => rounds.push(round),
    { outageMs: 300, backWithinMs: PATIENCE_MS },
  );
  assert.equal(rounds.length, 3);
  for (const { answered, heard } of rounds) assert.ok(answered > 0 && heard > 0);
  assert.ok(
    rounds.some(({ lost }) => lost > 0),
    "some were under way",
  );
});
