/** The audit of a chaos run finds what it is there to find. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { audit, type Books, type Call } from "./ledger.ts";

const LONGEST_MS = 1_000;

function call(change: Partial<Call> = {}): Call {
  return {
    nonce: "n0",
    via: "http",
    startedAt: 0,
    settledAt: 10,
    settlements: 1,
    outcome: "answered",
    status: 200,
    worker: "w0",
    wasKept: false,
    withdrawn: false,
    mistake: undefined,
    ...change,
  };
}

function books(change: Partial<Call>, executedBy: readonly string[], statuses: readonly number[]): Books {
  return {
    calls: [call(change)],
    executed: executedBy.map((worker) => ({ nonce: "n0", worker })),
    hub: statuses.map((status) => ({ nonce: "n0", status, reason: "" })),
    longestMs: LONGEST_MS,
  };
}

const LOST = { outcome: "connection: ECONNRESET", status: 0, worker: "" } as const;

const SOUND: readonly (readonly [string, Books])[] = [
  ["an answer", books({}, ["w0"], [200])],
  ["a refusal", books({ outcome: "QUEUE_FULL", status: 503 }, [], [503])],
  ["a worker that was lost", books({ outcome: "WORKER_LOST", status: 502 }, ["w0"], [502])],
  ["a hub that was lost before it recorded anything", books(LOST, [], [])],
  ["a hub that was lost with the response", books(LOST, ["w0"], [200])],
  ["a session, which the hub does not record", books({ via: "native", status: 0 }, ["w0"], [])],
  ["a caller that has left", books({ outcome: "CALLER_GONE", status: 0, withdrawn: true }, ["w0"], [499])],
];

const UNSOUND: readonly (readonly [string, Books, RegExp])[] = [
  ["no outcome", books({ settlements: 0 }, ["w0"], [200]), /0 outcomes/],
  ["two outcomes", books({ settlements: 2 }, ["w0"], [200]), /2 outcomes/],
  ["an outcome that came too late", books({ settledAt: 1_001 }, ["w0"], [200]), /took 1001 ms/],
  ["an answer to somebody else", books({ mistake: "got the answer to n7" }, ["w0"], [200]), /answer to n7/],
  ["two executions", books({}, ["w0", "w1"], [200]), /executed 2 times by w0, w1/],
  ["an answer by one, an execution by another", books({}, ["w1"], [200]), /answered by w0, executed by w1/],
  ["an answer without an execution", books({}, [], [200]), /executed by no worker/],
  [
    "a refusal that is safe to repeat, and an execution",
    books({ outcome: "NO_RESPONDERS", status: 503 }, ["w0"], [503]),
    /safe to repeat/,
  ],
  ["two records of the hub", books({}, ["w0"], [200, 200]), /recorded 2 outcomes/],
  ["no record of the hub", books({}, ["w0"], []), /did not record/],
  ["another status in the record", books({}, ["w0"], [503]), /recorded 503, the caller saw 200/],
];

for (const [name, sound] of SOUND)
  test(`the audit finds nothing: ${name}`, () => {
    assert.deepEqual(audit(sound), []);
  });

for (const [name, unsound, violation] of UNSOUND)
  test(`the audit finds ${name}`, () => {
    const found = audit(unsound);
    assert.equal(found.length, 1, found.join("; "));
    assert.match(found[0]!, violation);
  });

test("the audit finds what no caller has asked", () => {
  const executed = [{ nonce: "n9", worker: "w0" }];
  const hub = [{ nonce: "n8", status: 200, reason: "" }];
  const found = audit({ calls: [], executed, hub, longestMs: LONGEST_MS });
  assert.deepEqual(found, ["n9 was made by no caller", "n8 was made by no caller"]);
});
