import assert from "node:assert/strict";
import { test } from "node:test";
import type { BrokerStats } from "../../src/broker/stats.ts";
import { Harness } from "./harness.ts";

/** The request of a harness has ended so, is counted so, and nothing that happens later changes it. */
function assertEnded(harness: Harness, outcome: string | undefined, counter: keyof BrokerStats): void {
  const check = (): void => {
    assert.deepEqual(harness.outcomes, [outcome]);
    assert.equal(harness.broker.stats[counter], 1);
    assert.equal(harness.broker.inFlight, 0);
    harness.assertCounted();
  };
  check();
  harness.clock.advance(100_000);
  check();
  harness.broker.close();
  check();
}

test("answered", () => {
  const harness = new Harness();
  const worker = harness.serve("a.b");
  const { handle } = harness.request("a.b", 700);
  assert.ok(handle > 0);
  assert.deepEqual(worker.executed, [{ job: handle, subject: "a.b", text: "1", timeoutMs: 700 }]);
  harness.assertCounted();
  assert.equal(worker.reply(handle, "yes"), true);
  assertEnded(harness, "answered yes", "answered");
  assert.deepEqual(worker.canceled, []);
});

test("failed by the worker", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  harness.request("a");
  assert.equal(worker.fail(), true);
  assertEnded(harness, "MINE", "failed");
});

test("deadline while a worker holds it: the worker is told, its answer is late", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  const { handle } = harness.request("a", 50);
  harness.clock.advance(49);
  assert.deepEqual(harness.outcomes, [undefined]);
  harness.clock.advance(7);
  assert.deepEqual(worker.canceled, [{ job: handle, reason: "DEADLINE" }]);
  assert.equal(worker.reply(handle), false);
  assert.equal(harness.broker.stats.lateReplies, 1);
  assertEnded(harness, "DEADLINE", "deadline");
});

test("deadline while queued: the worker never executes it", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a", 1_000);
  harness.request("a", 50);
  harness.clock.advance(60);
  assert.deepEqual(harness.outcomes, [undefined, "DEADLINE"]);
  worker.reply();
  harness.clock.advance(1_000);
  assert.deepEqual(worker.texts, ["1"]);
  assert.deepEqual(worker.canceled, []);
  harness.assertCounted();
});

test("a deadline that has passed unnoticed is noticed when the job's turn comes", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a", 1_000);
  harness.request("a", 1);
  harness.request("a", 1_000);
  // The timer's step is 5 ms: at 2 ms the second has expired and nobody has looked.
  harness.clock.advance(2);
  worker.reply();
  assert.deepEqual(harness.outcomes, ["answered ok", "DEADLINE", undefined]);
  assert.deepEqual(worker.texts, ["1", "3"]);
  harness.assertCounted();
});

for (const timeoutMs of [0, -1, -Infinity, NaN]) {
  test(`a timeout of ${timeoutMs} ms has passed already`, () => {
    const harness = new Harness();
    const worker = harness.serve("a");
    assert.equal(harness.request("a", timeoutMs).handle, 0);
    assert.deepEqual(worker.executed, []);
    assertEnded(harness, "DEADLINE", "deadline");
  });
}

test("no timeout is longer than a timer can wait", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  harness.request("a", Infinity);
  assert.equal(worker.executed[0]?.timeoutMs, 2_147_483_647);
});

test("canceled while held: the worker is told, the sink hears nothing", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  const { handle } = harness.request("a");
  harness.broker.cancel(handle);
  harness.broker.cancel(handle);
  assert.deepEqual(worker.canceled, [{ job: handle, reason: "CALLER_GONE" }]);
  assert.equal(worker.reply(handle), false);
  assertEnded(harness, undefined, "canceled");
});

test("canceled while queued: the worker never hears of it", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a");
  const { handle } = harness.request("a");
  harness.broker.cancel(handle);
  worker.reply();
  assert.deepEqual(worker.texts, ["1"]);
  assert.deepEqual(worker.canceled, []);
  assert.deepEqual(harness.outcomes, ["answered ok", undefined]);
  assert.equal(harness.broker.stats.canceled, 1);
  harness.assertCounted();
});

test("handles nobody was given cancel nothing", () => {
  const harness = new Harness();
  harness.serve("a");
  const { handle } = harness.request("a");
  for (const other of [0, handle + 1, handle + 256, -1, NaN]) harness.broker.cancel(other);
  assert.equal(harness.broker.inFlight, 1);
  assert.equal(harness.broker.stats.canceled, 0);
});

test("worker lost: what it held fails at once, what it had answered stands", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  const others = harness.serve("b");
  for (const subject of ["a", "b", "a", "a"]) harness.request(subject);
  worker.reply();
  worker.registration.lose();
  assert.deepEqual(harness.outcomes, ["answered ok", undefined, "WORKER_LOST", "WORKER_LOST"]);
  assert.equal(harness.broker.stats.workerLost, 2);
  assert.deepEqual(worker.canceled, [], "it is gone, there is nobody to tell");
  worker.registration.lose();
  void worker.registration.leave();
  assert.equal(worker.reply(worker.executed[1]!.job), false);
  others.reply();
  assert.equal(harness.outcomes[1], "answered ok");
  assert.equal(harness.request("a").handle, 0);
  assert.equal(harness.outcomes[4], "NO_RESPONDERS");
  harness.assertCounted();
});

test("P-46: no responders", () => {
  const harness = new Harness();
  harness.serve("a.b.c");
  assert.equal(harness.request("a.b").handle, 0);
  assertEnded(harness, "NO_RESPONDERS", "noResponders");
});

test("P-46: queue full", () => {
  const harness = new Harness({ queue: 2 });
  const worker = harness.serve("a", { concurrency: 1 });
  for (let index = 0; index < 4; index++) harness.request("a");
  assert.deepEqual(harness.outcomes, [undefined, undefined, undefined, "QUEUE_FULL"]);
  assert.equal(harness.broker.stats.queueFull, 1);
  worker.reply();
  harness.request("a");
  assert.equal(harness.outcomes[4], undefined, "one was taken out, so one fits");
  harness.assertCounted();
});

test("P-46: in-flight full, held and queued ones counted together", () => {
  const harness = new Harness({ inFlight: 2 });
  const worker = harness.serve("a", { concurrency: 1 });
  harness.serve("b");
  for (const subject of ["a", "a", "a", "b"]) harness.request(subject);
  assert.deepEqual(harness.outcomes, [undefined, undefined, "IN_FLIGHT_FULL", "IN_FLIGHT_FULL"]);
  assert.equal(harness.broker.stats.inFlightFull, 2);
  harness.assertCounted();
  worker.reply();
  harness.request("b");
  assert.equal(harness.outcomes[4], undefined);
});

test("draining", () => {
  const harness = new Harness();
  harness.serve("a");
  harness.broker.drain(() => undefined);
  assert.equal(harness.request("a").handle, 0);
  assertEnded(harness, "DRAINING", "refusedDraining");
});

test("a draining broker says so also where nobody serves", () => {
  const harness = new Harness();
  harness.broker.drain(() => undefined);
  harness.request("nobody");
  assertEnded(harness, "DRAINING", "refusedDraining");
});

test("closed while held and while queued, and refused after it", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  const { handle } = harness.request("a");
  harness.request("a");
  harness.broker.close();
  assert.deepEqual(harness.outcomes, ["CLOSED", "CLOSED"]);
  assert.deepEqual(worker.texts, ["1"], "closing executes nothing");
  assert.deepEqual(worker.canceled, [{ job: handle, reason: "CLOSED" }]);
  assert.equal(harness.clock.pending, 0);
  assert.equal(harness.request("a").handle, 0);
  assert.equal(harness.request("nobody").handle, 0);
  assert.deepEqual(harness.outcomes.slice(2), ["CLOSED", "CLOSED"]);
  assert.equal(harness.broker.stats.closed, 4);
  harness.assertCounted();
});

test("replies by a worker that does not hold the job are refused and change nothing", () => {
  const harness = new Harness();
  const one = harness.serve("a", { concurrency: 1 });
  const other = harness.serve("a", { concurrency: 1 });
  const stranger = harness.serve("b");
  for (let index = 0; index < 3; index++) harness.request("a");
  const job = one.held[0]!;
  const queued = Math.max(...one.held, ...other.held) + 1;
  let refused = 0;
  for (const thief of [other, stranger]) {
    for (const target of [job, queued, 0, -1, 99_999]) {
      assert.equal(thief.reply(target, "stolen"), false);
      assert.equal(thief.fail(target), false);
      refused += 2;
    }
  }
  assert.equal(harness.broker.stats.lateReplies, refused);
  assert.deepEqual(harness.outcomes, [undefined, undefined, undefined]);
  assert.equal(one.reply(job), true);
  assert.equal(one.reply(job), false);
  assert.equal(one.fail(job), false);
  assert.equal(harness.broker.stats.lateReplies, refused + 2);
  assert.equal(harness.outcomes.filter((outcome) => outcome === "answered ok").length, 1);
  harness.assertCounted();
});
