/** Whatever ends many requests at once ends so many in a turn of the loop, each of them once, and looks at no others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QueueGroup } from "../../src/broker/queue-group.ts";
import { Harness } from "./harness.ts";

const MANY = 3_000;
/** The most requests that end in one turn: half of them by the deadlines of the table, half in other ways. */
const SHARE = 1_000;

const LIMITS = { inFlight: 100_000, queue: 100_000, concurrency: 100_000 };

interface Case {
  readonly name: string;
  readonly reason: string;
  readonly run: (harness: Harness) => void;
}

const CASES: readonly Case[] = [
  {
    name: "a worker is lost",
    reason: "WORKER_LOST",
    run(harness) {
      const worker = harness.serve("a");
      for (let index = 0; index < MANY; index++) harness.request("a");
      worker.registration.lose();
    },
  },
  {
    name: "a thousand workers are lost",
    reason: "WORKER_LOST",
    run(harness) {
      const workers = Array.from({ length: 1_000 }, (_, index) => harness.serve(`a.${index}`));
      for (let index = 0; index < MANY; index++) harness.request(`a.${index % 1_000}`);
      for (const worker of workers) worker.registration.lose();
    },
  },
  {
    name: "the last worker leaves a queue",
    reason: "NO_RESPONDERS",
    run(harness) {
      const worker = harness.serve("a", { concurrency: 1 });
      harness.request("a");
      for (let index = 0; index < MANY; index++) harness.request("a");
      void worker.registration.leave();
    },
  },
  {
    name: "their deadline passes",
    reason: "DEADLINE",
    run(harness) {
      harness.serve("a", { concurrency: 2 });
      for (let index = 0; index < MANY; index++) harness.request("a", 50);
      harness.clock.advance(49);
    },
  },
  {
    name: "the broker is closed",
    reason: "CLOSED",
    run(harness) {
      harness.serve("a", { concurrency: 1_000 });
      for (let index = 0; index < MANY; index++) harness.request("a");
      harness.broker.close();
    },
  },
];

for (const { name, reason, run } of CASES) {
  test(`${MANY} requests end when ${name}, ${SHARE} in a turn`, () => {
    const harness = new Harness(LIMITS);
    const turns: number[] = [];
    let turn: unknown;
    const after = harness.clock.after.bind(harness.clock);
    // What the clock calls back is a turn of its own, and so is what the test does.
    harness.clock.after = (delayMs, callback) =>
      after(delayMs, () => {
        turn = {};
        callback();
      });
    let last: unknown = {};
    harness.caller.onOutcome = () => {
      if (turns.length === 0 || turn !== last) turns.push(0);
      last = turn;
      turns[turns.length - 1]!++;
    };
    run(harness);
    harness.clock.advance(2);
    const ended = harness.outcomes.filter((outcome) => outcome !== undefined);
    assert.equal(ended.length, MANY);
    assert.deepEqual(new Set(ended), new Set([reason]));
    assert.ok(Math.max(...turns) <= SHARE, turns.join(" "));
    harness.assertCounted();
  });
}

test("what is answered or canceled while its worker is being lost ends by that alone", () => {
  const harness = new Harness(LIMITS);
  const worker = harness.serve("a");
  const handles = Array.from({ length: MANY }, () => harness.request("a").handle);
  let asked = false;
  harness.caller.onOutcome = () => {
    if (asked) return;
    asked = true;
    for (const handle of handles.slice(-100)) harness.broker.cancel(handle);
  };
  worker.registration.lose();
  harness.clock.advance(1);
  assert.equal(harness.broker.inFlight, 0);
  const { workerLost, canceled } = harness.broker.stats;
  assert.deepEqual({ workerLost, canceled }, { workerLost: MANY - 100, canceled: 100 });
  harness.assertCounted();
});

test("requests of a lost worker go to others in the order they came, before all that wait", () => {
  const harness = new Harness(LIMITS);
  const first = harness.serve("a", { attempts: 2 });
  for (let index = 0; index < MANY; index++) harness.request("a");
  const second = harness.serve("a", { attempts: 2, concurrency: 1 });
  first.registration.lose();
  harness.clock.advance(1);
  while (second.held.length > 0) second.reply();
  const texts = second.texts.map(Number);
  assert.equal(new Set(texts).size, MANY);
  // The slices that come later are the older ones: what was handed out meanwhile is the youngest of its slice.
  assert.deepEqual(
    texts.slice(-MANY + 20),
    texts.slice(-MANY + 20).toSorted((one, other) => one - other),
  );
  harness.assertCounted();
});

test("closing tells when all have ended", () => {
  const harness = new Harness(LIMITS);
  harness.serve("a");
  for (let index = 0; index < MANY; index++) harness.request("a");
  let left = -1;
  harness.broker.close(() => (left = harness.broker.inFlight));
  assert.equal(left, -1);
  harness.clock.advance(1);
  assert.equal(left, 0);
});

test("numbers put back before a queue cost the same, however many there are", () => {
  const group = new QueueGroup("a", "");
  for (let id = 1; id <= 200_000; id++) group.requeue(id);
  for (let id = 200_000; id > 0; id--) assert.equal(group.dequeue(), id);
  assert.equal(group.dequeue(), undefined);
});
