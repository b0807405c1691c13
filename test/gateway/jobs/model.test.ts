import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NEXT_STATES } from "../../../src/gateway/jobs/job.ts";
import { KINDS, Simulation, type Step } from "./simulation.ts";

const kind = fc.constantFrom(...KINDS, "request" as const, "request" as const, "poll" as const);
const steps = fc.array(fc.record({ kind, pick: fc.nat(997), more: fc.nat(997) }), {
  maxLength: 120,
  size: "max",
});

function run(all: readonly Step[], attempts: number, places: boolean): Simulation {
  const simulation = new Simulation(attempts, places);
  for (const step of all) simulation.step(step);
  simulation.finish();
  return simulation;
}

for (const { attempts, name } of [
  { attempts: 1, name: "at most once" },
  { attempts: 3, name: "at least once" },
]) {
  test(`${name}: under random use every request ends once, and in the end nothing is left`, () => {
    fc.assert(
      fc.property(steps, (all) => {
        run(all, attempts, true);
      }),
      { numRuns: 300 },
    );
  });
}

test("the same in front of an engine that hands out as it likes", () => {
  fc.assert(
    fc.property(steps, (all) => {
      run(all, 1, false);
    }),
    { numRuns: 200 },
  );
});

test("the random use is varied enough to lead to every state and outcome", () => {
  const states = new Set<string>();
  const outcomes = new Set<string>();
  // Always the same runs: how varied they are must not depend on luck.
  for (const all of fc.sample(steps, { numRuns: 200, seed: 1 })) {
    for (const places of [true, false]) {
      const simulation = run(all, 2, places);
      for (const state of simulation.states) states.add(state);
      for (const { outcome } of simulation.requests) outcomes.add(outcome!);
    }
  }
  const all = Object.keys(NEXT_STATES).filter((state) => state !== "ready"); // nobody sees one of those
  assert.deepEqual([...states].toSorted(), all.toSorted());
  for (const outcome of ["pulled", "pushed", "canceled", "DEADLINE", "HANDLER_FAILED", "WORKER_LOST"])
    assert.ok(outcomes.has(outcome), `${outcome} never happened`);
});
