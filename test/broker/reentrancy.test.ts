import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness } from "./harness.ts";

test("a worker that answers inside execute", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  worker.onExecute = (job) => assert.equal(worker.reply(job), true);
  for (let index = 0; index < 3; index++)
    assert.equal(harness.request("a").handle, 0, "it has ended already");
  assert.deepEqual(harness.outcomes, ["answered ok", "answered ok", "answered ok"]);
  assert.equal(harness.broker.inFlight, 0);
  harness.assertCounted();
});

test("a worker that fails inside execute", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  worker.onExecute = (job) => assert.equal(worker.fail(job), true);
  assert.equal(harness.request("a").handle, 0);
  assert.deepEqual(harness.outcomes, ["MINE"]);
  harness.assertCounted();
});

test("a worker that leaves inside execute keeps what it holds", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  worker.onExecute = () => void worker.registration.leave();
  const { handle } = harness.request("a");
  assert.ok(handle > 0);
  harness.request("a");
  assert.deepEqual(harness.outcomes, [undefined, "NO_RESPONDERS"]);
  assert.equal(worker.reply(), true);
  harness.assertCounted();
});

test("a worker that leaves inside the execute of a queued job", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  for (let index = 0; index < 4; index++) harness.request("a");
  worker.onExecute = () => void worker.registration.leave();
  worker.reply();
  assert.deepEqual(harness.outcomes, ["answered ok", undefined, "NO_RESPONDERS", "NO_RESPONDERS"]);
  worker.reply();
  assert.equal(harness.broker.inFlight, 0);
  harness.assertCounted();
});

test("a worker that is lost inside execute", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  const other = harness.serve("a", { concurrency: 1 });
  for (const one of [worker, other]) one.onExecute = () => one.registration.lose();
  assert.equal(harness.request("a").handle, 0);
  assert.equal(harness.request("a").handle, 0);
  assert.deepEqual(harness.outcomes, ["WORKER_LOST", "WORKER_LOST"]);
  harness.request("a");
  assert.equal(harness.outcomes[2], "NO_RESPONDERS");
  harness.assertCounted();
});

test("a request canceled inside its execute", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  worker.onExecute = (job) => harness.broker.cancel(job);
  assert.equal(harness.request("a").handle, 0);
  assert.deepEqual(harness.outcomes, [undefined]);
  assert.equal(worker.canceled.length, 1);
  worker.onExecute = undefined;
  harness.request("a");
  assert.equal(worker.executed.length, 2, "its place is free again");
  harness.assertCounted();
});

test("a sink that asks again inside answered and inside failed", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  let more = 4;
  harness.caller.onOutcome = () => {
    harness.assertCounted();
    if (more-- > 0) harness.request("a", 50);
  };
  harness.request("a", 50);
  worker.reply();
  worker.fail();
  harness.clock.advance(60);
  worker.registration.lose();
  assert.deepEqual(harness.outcomes, ["answered ok", "MINE", "DEADLINE", "WORKER_LOST", "NO_RESPONDERS"]);
  assert.equal(harness.broker.inFlight, 0);
  harness.assertCounted();
});

test("a sink that asks again while a lost worker's jobs fail: the new ones go to others", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  for (let index = 0; index < 300; index++) harness.request("a");
  const other = harness.serve("a", { concurrency: 1_000 });
  harness.caller.onOutcome = (_tag, outcome) => {
    if (outcome === "WORKER_LOST") harness.request("a");
  };
  const held = worker.held.length;
  worker.registration.lose();
  assert.equal(harness.broker.stats.workerLost, held);
  assert.equal(harness.broker.inFlight, 300);
  assert.equal(other.held.length, 300);
  harness.assertCounted();
});

test("a sink that cancels other requests while they end", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  const handles = [1, 2, 3, 4].map(() => harness.request("a").handle);
  harness.caller.onOutcome = () => {
    for (const handle of handles) harness.broker.cancel(handle);
  };
  worker.registration.lose();
  assert.deepEqual(harness.outcomes, ["WORKER_LOST", undefined, undefined, undefined]);
  assert.equal(harness.broker.stats.canceled, 3);
  assert.equal(harness.broker.inFlight, 0);
  harness.assertCounted();
});

test("a worker that answers another job inside cancel", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 2 });
  for (let index = 0; index < 3; index++) harness.request("a");
  worker.onCancel = () => {
    worker.onCancel = undefined;
    worker.reply();
  };
  harness.broker.cancel(worker.held[0]!);
  assert.deepEqual(worker.texts, ["1", "2", "3"]);
  assert.deepEqual(harness.outcomes, [undefined, "answered ok", undefined]);
  harness.assertCounted();
});

test("a worker that leaves inside cancel, and a sink that serves inside failed", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a", 50);
  harness.request("a", 5_000);
  worker.onCancel = () => void worker.registration.leave();
  const replacements: string[] = [];
  harness.caller.onOutcome = (_tag, outcome) => {
    if (outcome !== "NO_RESPONDERS") return;
    const next = harness.serve("a");
    next.onExecute = (_job, text) => replacements.push(text);
    harness.request("a", 5_000);
  };
  harness.clock.advance(60);
  assert.deepEqual(harness.outcomes, ["DEADLINE", "NO_RESPONDERS", undefined]);
  assert.deepEqual(replacements, ["3"]);
  harness.assertCounted();
});

test("a sink that closes the broker inside its outcome", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  for (let index = 0; index < 4; index++) harness.request("a");
  harness.caller.onOutcome = () => harness.broker.close();
  worker.reply();
  assert.deepEqual(harness.outcomes, ["answered ok", "CLOSED", "CLOSED", "CLOSED"]);
  assert.deepEqual(worker.texts, ["1"]);
  assert.equal(harness.clock.pending, 0);
  harness.assertCounted();
});

test("a worker that throws leaves the queue working", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 2 });
  for (let index = 0; index < 4; index++) harness.request("a");
  worker.onExecute = () => {
    worker.onExecute = undefined;
    throw new RangeError("a fault of the worker");
  };
  assert.throws(() => worker.reply(), RangeError);
  worker.reply();
  worker.reply();
  assert.deepEqual(worker.texts, ["1", "2", "3", "4"]);
  harness.assertCounted();
});
