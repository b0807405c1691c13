import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig } from "./rig.ts";

test("a worker that answers inside execute", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  worker.onExecute = (job) => assert.equal(worker.reply(job), true);
  for (let index = 0; index < 3; index++) assert.equal(rig.request("a").handle, 0, "it has ended already");
  assert.deepEqual(rig.outcomes, ["answered ok", "answered ok", "answered ok"]);
  assert.equal(rig.broker.inFlight, 0);
  rig.assertCounted();
});

test("a worker that fails inside execute", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  worker.onExecute = (job) => assert.equal(worker.fail(job), true);
  assert.equal(rig.request("a").handle, 0);
  assert.deepEqual(rig.outcomes, ["MINE"]);
  rig.assertCounted();
});

test("a worker that leaves inside execute keeps what it holds", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  worker.onExecute = () => void worker.registration.leave();
  const { handle } = rig.request("a");
  assert.ok(handle > 0);
  rig.request("a");
  assert.deepEqual(rig.outcomes, [undefined, "NO_RESPONDERS"]);
  assert.equal(worker.reply(), true);
  rig.assertCounted();
});

test("a worker that leaves inside the execute of a queued job", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  for (let index = 0; index < 4; index++) rig.request("a");
  worker.onExecute = () => void worker.registration.leave();
  worker.reply();
  assert.deepEqual(rig.outcomes, ["answered ok", undefined, "NO_RESPONDERS", "NO_RESPONDERS"]);
  worker.reply();
  assert.equal(rig.broker.inFlight, 0);
  rig.assertCounted();
});

test("a worker that is lost inside execute", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  const other = rig.serve("a", { concurrency: 1 });
  for (const one of [worker, other]) one.onExecute = () => one.registration.lose();
  assert.equal(rig.request("a").handle, 0);
  assert.equal(rig.request("a").handle, 0);
  assert.deepEqual(rig.outcomes, ["WORKER_LOST", "WORKER_LOST"]);
  rig.request("a");
  assert.equal(rig.outcomes[2], "NO_RESPONDERS");
  rig.assertCounted();
});

test("a request canceled inside its execute", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  worker.onExecute = (job) => rig.broker.cancel(job);
  assert.equal(rig.request("a").handle, 0);
  assert.deepEqual(rig.outcomes, [undefined]);
  assert.equal(worker.canceled.length, 1);
  worker.onExecute = undefined;
  rig.request("a");
  assert.equal(worker.executed.length, 2, "its place is free again");
  rig.assertCounted();
});

test("a sink that asks again inside answered and inside failed", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  let more = 4;
  rig.caller.onOutcome = () => {
    rig.assertCounted();
    if (more-- > 0) rig.request("a", 50);
  };
  rig.request("a", 50);
  worker.reply();
  worker.fail();
  rig.clock.advance(60);
  worker.registration.lose();
  assert.deepEqual(rig.outcomes, ["answered ok", "MINE", "DEADLINE", "WORKER_LOST", "NO_RESPONDERS"]);
  assert.equal(rig.broker.inFlight, 0);
  rig.assertCounted();
});

test("a sink that asks again while a lost worker's jobs fail: the new ones go to others", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  for (let index = 0; index < 300; index++) rig.request("a");
  const other = rig.serve("a", { concurrency: 1_000 });
  rig.caller.onOutcome = (_tag, outcome) => {
    if (outcome === "WORKER_LOST") rig.request("a");
  };
  const held = worker.held.length;
  worker.registration.lose();
  assert.equal(rig.broker.stats.workerLost, held);
  assert.equal(rig.broker.inFlight, 300);
  assert.equal(other.held.length, 300);
  rig.assertCounted();
});

test("a sink that cancels other requests while they end", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  const handles = [1, 2, 3, 4].map(() => rig.request("a").handle);
  rig.caller.onOutcome = () => {
    for (const handle of handles) rig.broker.cancel(handle);
  };
  worker.registration.lose();
  assert.deepEqual(rig.outcomes, ["WORKER_LOST", undefined, undefined, undefined]);
  assert.equal(rig.broker.stats.canceled, 3);
  assert.equal(rig.broker.inFlight, 0);
  rig.assertCounted();
});

test("a worker that answers another job inside cancel", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 2 });
  for (let index = 0; index < 3; index++) rig.request("a");
  worker.onCancel = () => {
    worker.onCancel = undefined;
    worker.reply();
  };
  rig.broker.cancel(worker.held[0]!);
  assert.deepEqual(worker.texts, ["1", "2", "3"]);
  assert.deepEqual(rig.outcomes, [undefined, "answered ok", undefined]);
  rig.assertCounted();
});

test("a worker that leaves inside cancel, and a sink that serves inside failed", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a", 50);
  rig.request("a", 5_000);
  worker.onCancel = () => void worker.registration.leave();
  const replacements: string[] = [];
  rig.caller.onOutcome = (_tag, outcome) => {
    if (outcome !== "NO_RESPONDERS") return;
    const next = rig.serve("a");
    next.onExecute = (_job, text) => replacements.push(text);
    rig.request("a", 5_000);
  };
  rig.clock.advance(60);
  assert.deepEqual(rig.outcomes, ["DEADLINE", "NO_RESPONDERS", undefined]);
  assert.deepEqual(replacements, ["3"]);
  rig.assertCounted();
});

test("a sink that closes the broker inside its outcome", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  for (let index = 0; index < 4; index++) rig.request("a");
  rig.caller.onOutcome = () => rig.broker.close();
  worker.reply();
  assert.deepEqual(rig.outcomes, ["answered ok", "CLOSED", "CLOSED", "CLOSED"]);
  assert.deepEqual(worker.texts, ["1"]);
  assert.equal(rig.clock.pending, 0);
  rig.assertCounted();
});

test("a worker that throws leaves the queue working", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 2 });
  for (let index = 0; index < 4; index++) rig.request("a");
  worker.onExecute = () => {
    worker.onExecute = undefined;
    throw new RangeError("a fault of the worker");
  };
  assert.throws(() => worker.reply(), RangeError);
  worker.reply();
  worker.reply();
  assert.deepEqual(worker.texts, ["1", "2", "3", "4"]);
  rig.assertCounted();
});
