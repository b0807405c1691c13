import assert from "node:assert/strict";
import { test } from "node:test";
import type { BrokerStats } from "../../src/broker/stats.ts";
import { Rig } from "./rig.ts";

/** The request of a rig has ended so, is counted so, and nothing that happens later changes it. */
function assertEnded(rig: Rig, outcome: string | undefined, counter: keyof BrokerStats): void {
  const check = (): void => {
    assert.deepEqual(rig.outcomes, [outcome]);
    assert.equal(rig.broker.stats[counter], 1);
    assert.equal(rig.broker.inFlight, 0);
    rig.assertCounted();
  };
  check();
  rig.clock.advance(100_000);
  check();
  rig.broker.close();
  check();
}

test("answered", () => {
  const rig = new Rig();
  const worker = rig.serve("a.b");
  const { handle } = rig.request("a.b", 700);
  assert.ok(handle > 0);
  assert.deepEqual(worker.executed, [{ job: handle, subject: "a.b", text: "1", timeoutMs: 700 }]);
  rig.assertCounted();
  assert.equal(worker.reply(handle, "yes"), true);
  assertEnded(rig, "answered yes", "answered");
  assert.deepEqual(worker.canceled, []);
});

test("failed by the worker", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  rig.request("a");
  assert.equal(worker.fail(), true);
  assertEnded(rig, "MINE", "failed");
});

test("deadline while a worker holds it: the worker is told, its answer is late", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  const { handle } = rig.request("a", 50);
  rig.clock.advance(49);
  assert.deepEqual(rig.outcomes, [undefined]);
  rig.clock.advance(7);
  assert.deepEqual(worker.canceled, [{ job: handle, reason: "DEADLINE" }]);
  assert.equal(worker.reply(handle), false);
  assert.equal(rig.broker.stats.lateReplies, 1);
  assertEnded(rig, "DEADLINE", "deadline");
});

test("deadline while queued: the worker never executes it", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a", 1_000);
  rig.request("a", 50);
  rig.clock.advance(60);
  assert.deepEqual(rig.outcomes, [undefined, "DEADLINE"]);
  worker.reply();
  rig.clock.advance(1_000);
  assert.deepEqual(worker.texts, ["1"]);
  assert.deepEqual(worker.canceled, []);
  rig.assertCounted();
});

test("a deadline that has passed unnoticed is noticed when the job's turn comes", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a", 1_000);
  rig.request("a", 1);
  rig.request("a", 1_000);
  // The timer's step is 5 ms: at 2 ms the second has expired and nobody has looked.
  rig.clock.advance(2);
  worker.reply();
  assert.deepEqual(rig.outcomes, ["answered ok", "DEADLINE", undefined]);
  assert.deepEqual(worker.texts, ["1", "3"]);
  rig.assertCounted();
});

for (const timeoutMs of [0, -1, -Infinity, NaN]) {
  test(`a timeout of ${timeoutMs} ms has passed already`, () => {
    const rig = new Rig();
    const worker = rig.serve("a");
    assert.equal(rig.request("a", timeoutMs).handle, 0);
    assert.deepEqual(worker.executed, []);
    assertEnded(rig, "DEADLINE", "deadline");
  });
}

test("no timeout is longer than a timer can wait", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  rig.request("a", Infinity);
  assert.equal(worker.executed[0]?.timeoutMs, 2_147_483_647);
});

test("canceled while held: the worker is told, the sink hears nothing", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  const { handle } = rig.request("a");
  rig.broker.cancel(handle);
  rig.broker.cancel(handle);
  assert.deepEqual(worker.canceled, [{ job: handle, reason: "CALLER_GONE" }]);
  assert.equal(worker.reply(handle), false);
  assertEnded(rig, undefined, "canceled");
});

test("canceled while queued: the worker never hears of it", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a");
  const { handle } = rig.request("a");
  rig.broker.cancel(handle);
  worker.reply();
  assert.deepEqual(worker.texts, ["1"]);
  assert.deepEqual(worker.canceled, []);
  assert.deepEqual(rig.outcomes, ["answered ok", undefined]);
  assert.equal(rig.broker.stats.canceled, 1);
  rig.assertCounted();
});

test("handles nobody was given cancel nothing", () => {
  const rig = new Rig();
  rig.serve("a");
  const { handle } = rig.request("a");
  for (const other of [0, handle + 1, handle + 256, -1, NaN]) rig.broker.cancel(other);
  assert.equal(rig.broker.inFlight, 1);
  assert.equal(rig.broker.stats.canceled, 0);
});

test("worker lost: what it held fails at once, what it had answered stands", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  const others = rig.serve("b");
  for (const subject of ["a", "b", "a", "a"]) rig.request(subject);
  worker.reply();
  worker.registration.lose();
  assert.deepEqual(rig.outcomes, ["answered ok", undefined, "WORKER_LOST", "WORKER_LOST"]);
  assert.equal(rig.broker.stats.workerLost, 2);
  assert.deepEqual(worker.canceled, [], "it is gone, there is nobody to tell");
  worker.registration.lose();
  void worker.registration.leave();
  assert.equal(worker.reply(worker.executed[1]!.job), false);
  others.reply();
  assert.equal(rig.outcomes[1], "answered ok");
  assert.equal(rig.request("a").handle, 0);
  assert.equal(rig.outcomes[4], "NO_RESPONDERS");
  rig.assertCounted();
});

test("P-46: no responders", () => {
  const rig = new Rig();
  rig.serve("a.b.c");
  assert.equal(rig.request("a.b").handle, 0);
  assertEnded(rig, "NO_RESPONDERS", "noResponders");
});

test("P-46: queue full", () => {
  const rig = new Rig({ queue: 2 });
  const worker = rig.serve("a", { concurrency: 1 });
  for (let index = 0; index < 4; index++) rig.request("a");
  assert.deepEqual(rig.outcomes, [undefined, undefined, undefined, "QUEUE_FULL"]);
  assert.equal(rig.broker.stats.queueFull, 1);
  worker.reply();
  rig.request("a");
  assert.equal(rig.outcomes[4], undefined, "one was taken out, so one fits");
  rig.assertCounted();
});

test("P-46: in-flight full, held and queued ones counted together", () => {
  const rig = new Rig({ inFlight: 2 });
  const worker = rig.serve("a", { concurrency: 1 });
  rig.serve("b");
  for (const subject of ["a", "a", "a", "b"]) rig.request(subject);
  assert.deepEqual(rig.outcomes, [undefined, undefined, "IN_FLIGHT_FULL", "IN_FLIGHT_FULL"]);
  assert.equal(rig.broker.stats.inFlightFull, 2);
  rig.assertCounted();
  worker.reply();
  rig.request("b");
  assert.equal(rig.outcomes[4], undefined);
});

test("draining", () => {
  const rig = new Rig();
  rig.serve("a");
  rig.broker.drain(() => undefined);
  assert.equal(rig.request("a").handle, 0);
  assertEnded(rig, "DRAINING", "refusedDraining");
});

test("a draining broker says so also where nobody serves", () => {
  const rig = new Rig();
  rig.broker.drain(() => undefined);
  rig.request("nobody");
  assertEnded(rig, "DRAINING", "refusedDraining");
});

test("closed while held and while queued, and refused after it", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  const { handle } = rig.request("a");
  rig.request("a");
  rig.broker.close();
  assert.deepEqual(rig.outcomes, ["CLOSED", "CLOSED"]);
  assert.deepEqual(worker.texts, ["1"], "closing executes nothing");
  assert.deepEqual(worker.canceled, [{ job: handle, reason: "CLOSED" }]);
  assert.equal(rig.clock.pending, 0);
  assert.equal(rig.request("a").handle, 0);
  assert.equal(rig.request("nobody").handle, 0);
  assert.deepEqual(rig.outcomes.slice(2), ["CLOSED", "CLOSED"]);
  assert.equal(rig.broker.stats.closed, 4);
  rig.assertCounted();
});

test("replies by a worker that does not hold the job are refused and change nothing", () => {
  const rig = new Rig();
  const one = rig.serve("a", { concurrency: 1 });
  const other = rig.serve("a", { concurrency: 1 });
  const stranger = rig.serve("b");
  for (let index = 0; index < 3; index++) rig.request("a");
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
  assert.equal(rig.broker.stats.lateReplies, refused);
  assert.deepEqual(rig.outcomes, [undefined, undefined, undefined]);
  assert.equal(one.reply(job), true);
  assert.equal(one.reply(job), false);
  assert.equal(one.fail(job), false);
  assert.equal(rig.broker.stats.lateReplies, refused + 2);
  assert.equal(rig.outcomes.filter((outcome) => outcome === "answered ok").length, 1);
  rig.assertCounted();
});
