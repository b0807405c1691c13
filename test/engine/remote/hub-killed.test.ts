import assert from "node:assert/strict";
import { test } from "node:test";
import { killHub, type Balance } from "./killed-hub.ts";

test("a hub that is killed under load, 5 times: all are back in a second, every request has one outcome", async () => {
  const rounds: Balance[] = [];
  await killHub(
    (done) => done === 5,
    (round) => rounds.push(round),
  );
  assert.equal(rounds.length, 5);
  for (const { answered, heard } of rounds) assert.ok(answered > 0 && heard > 0);
  assert.ok(
    rounds.some(({ lost }) => lost > 0),
    "some were under way",
  );
});
