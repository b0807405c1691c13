import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "../../src/supervisor/restarts.ts";

const crash = { how: "ended with code 1", isFailure: true, ranMs: 5 };
const end = { how: "ended with code 0", isFailure: false, ranMs: 5 };
const waits = { firstMs: 100, lastMs: 1_000 };

test("the policy says what becomes of an instance that has ended", () => {
  const verdicts = (["always", "on-failure", "never"] as const).map((policy) => [
    policy,
    judge({ policy, ...waits }, crash, 1),
    judge({ policy, ...waits }, end, 1),
  ]);
  assert.deepEqual(verdicts, [
    ["always", "again", "again"],
    ["on-failure", "again", "ended"],
    ["never", "failed", "ended"],
  ]);
});

test("after as many failures in a row as are allowed it is given up", () => {
  const policy = { policy: "always", ...waits, attempts: 3 } as const;
  assert.deepEqual(
    [1, 2, 3].map((failures) => judge(policy, crash, failures)),
    ["again", "again", "failed"],
  );
});
