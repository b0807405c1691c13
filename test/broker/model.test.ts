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
  const seen = new Set<string>();
  fc.assert(
    fc.property(steps, (all) => {
      const first = run(all);
      for (const { outcome } of first.requests) seen.add(outcome!);
      assert.deepEqual(run(all).trace, first.trace, "the same steps give the same run");
    }),
    { numRuns: 400 },
  );
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
