import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Simulation, type Step } from "./simulation.ts";

const kind = fc.constantFrom<Step["kind"]>(
  "serve",
  "serve",
  "leave",
  "lose",
  "request",
  "request",
  "request",
  "request",
  "request",
  "reply",
  "reply",
  "fail",
  "late",
  "cancel",
  "advance",
);
const steps = fc.array(fc.record({ kind, pick: fc.nat(997), more: fc.nat(997) }), {
  maxLength: 120,
  size: "max",
});

function run(all: readonly Step[]): Simulation {
  const simulation = new Simulation();
  for (const step of all) simulation.step(step);
  simulation.finish();
  return simulation;
}

test("under random use every request ends once, and in the end nothing is left", () => {
  fc.assert(
    fc.property(steps, (all) => {
      assert.deepEqual(run(all).trace, run(all).trace, "the same steps give the same run");
    }),
    { numRuns: 400 },
  );
});

test("the random use is varied enough to end requests in every way", () => {
  const seen = new Set<string>();
  // Always the same runs: how varied they are must not depend on luck.
  for (const all of fc.sample(steps, { numRuns: 400, seed: 1 })) {
    for (const { outcome } of run(all).requests) seen.add(outcome!);
  }
  const rare = [
    "answered",
    "canceled",
    "DEADLINE",
    "HANDLER_FAILED",
    "NO_RESPONDERS",
    "QUEUE_FULL",
    "WORKER_LOST",
  ];
  for (const outcome of rare) assert.ok(seen.has(outcome), `${outcome} never happened`);
});
