import assert from "node:assert/strict";
import { test } from "node:test";
import { json } from "../../src/codec/json.ts";
import { valueOf } from "../../src/codec/values.ts";
import { Format, Message } from "../../src/message/message.ts";
import { Caller, Rig, textMessage } from "./rig.ts";

test("what waits is served in order as places become free", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 2 });
  for (let index = 0; index < 6; index++) rig.request("a");
  assert.deepEqual(worker.texts, ["1", "2"]);
  worker.reply();
  worker.fail();
  assert.deepEqual(worker.texts, ["1", "2", "3", "4"]);
  rig.broker.cancel(worker.held[0]!);
  assert.deepEqual(worker.texts, ["1", "2", "3", "4", "5"]);
  rig.assertCounted();
});

test("a job that waited gets what is left of its time", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a", 1_000);
  rig.request("a", 1_000);
  rig.clock.advance(300);
  worker.reply();
  assert.equal(worker.executed[1]?.timeoutMs, 700);
});

for (const how of ["leave", "lose"] as const) {
  test(`when one of two workers does ${how}, what waits is served by the other`, () => {
    const rig = new Rig();
    const one = rig.serve("a", { concurrency: 1 });
    const other = rig.serve("a", { concurrency: 1 });
    for (let index = 0; index < 4; index++) rig.request("a");
    const goes = one.texts[0] === "1" ? one : other;
    const stays = goes === one ? other : one;
    void goes.registration[how]();
    assert.equal(rig.outcomes[0], how === "lose" ? "WORKER_LOST" : undefined);
    if (how === "leave") assert.equal(goes.reply(), true, "what it holds it may still answer");
    for (let index = 0; index < 3; index++) assert.equal(stays.reply(), true);
    assert.deepEqual(stays.texts, ["2", "3", "4"]);
    assert.deepEqual(goes.texts, ["1"]);
    assert.equal(rig.broker.inFlight, 0);
    rig.assertCounted();
  });

  test(`when the last worker does ${how}, what waits has no responders at once`, () => {
    const rig = new Rig();
    const worker = rig.serve("a", { concurrency: 1 });
    for (let index = 0; index < 3; index++) rig.request("a");
    void worker.registration[how]();
    const first = how === "lose" ? "WORKER_LOST" : undefined;
    assert.deepEqual(rig.outcomes, [first, "NO_RESPONDERS", "NO_RESPONDERS"]);
    assert.equal(rig.broker.stats.noResponders, 2);
    rig.assertCounted();
    const next = rig.serve("a");
    rig.request("a");
    assert.deepEqual(next.texts, ["4"]);
    if (how === "leave") assert.equal(worker.reply(), true);
    assert.equal(rig.broker.inFlight, 1);
  });
}

test("a worker that joins takes what waits, once it can answer", () => {
  const rig = new Rig();
  const busy = rig.serve("a", { concurrency: 1 });
  for (let index = 0; index < 4; index++) rig.request("a");
  const joined = rig.serve("a", { concurrency: 2 });
  joined.onExecute = (job) => void joined.reply(job);
  rig.clock.advance(0);
  assert.deepEqual(joined.texts, ["2", "3", "4"]);
  assert.deepEqual(busy.texts, ["1"]);
  assert.deepEqual(rig.outcomes, [undefined, "answered ok", "answered ok", "answered ok"]);
});

test("a request does not overtake those that wait", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a");
  rig.request("a");
  rig.caller.onOutcome = (tag) => {
    if (tag === 1) rig.request("a");
  };
  worker.reply();
  worker.reply();
  worker.reply();
  assert.deepEqual(worker.texts, ["1", "2", "3"]);
});

test("a caller that asks again with each answer does not starve the others", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a");
  const other = new Caller();
  rig.broker.request(rig.broker.route("a"), textMessage("other"), 1_000, other, 1);
  rig.caller.onOutcome = () => void rig.request("a");
  for (let index = 0; index < 3; index++) worker.reply();
  assert.deepEqual(other.outcomes.get(1), ["answered ok"]);
});

test("a long queue before a worker that answers at once needs no deep stack", () => {
  const size = 50_000;
  const rig = new Rig({ queue: size, inFlight: 2 * size });
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a");
  for (let index = 0; index < size; index++) rig.request("a");
  worker.onExecute = (job) => void worker.reply(job);
  worker.reply();
  assert.equal(rig.broker.stats.answered, size + 1);
  rig.assertCounted();
});

test("canceling what waits makes room in the queue", () => {
  const rig = new Rig({ queue: 3 });
  rig.serve("a", { concurrency: 1 });
  rig.request("a");
  for (let index = 0; index < 1_000; index++) {
    const { handle } = rig.request("a");
    assert.ok(handle > 0);
    rig.broker.cancel(handle);
  }
  assert.equal(rig.broker.inFlight, 1);
  rig.assertCounted();
});

test("a message that waits is the one that was sent", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  rig.request("a");
  const buffer = Buffer.from("before");
  const message = Message.ofBytes(buffer, "", Format.text);
  rig.broker.request(rig.broker.route("a"), message, 1_000, rig.caller, 2);
  buffer.write("after!");
  worker.reply();
  assert.deepEqual(worker.texts, ["1", "before"]);
});

test("a value that cannot be encoded fails in the queue as it does at the worker", () => {
  const rig = new Rig();
  rig.serve("a", { concurrency: 1 });
  rig.request("a");
  const message = Message.ofValue(1n, json, Format.typed);
  assert.throws(() => valueOf(message));
  const caller = new Caller();
  assert.equal(rig.broker.request(rig.broker.route("a"), message, 1_000, caller, 7), 0);
  assert.deepEqual(caller.outcomes.get(7), ["BAD_PAYLOAD"]);
  assert.equal(rig.broker.inFlight, 1);
  rig.assertCounted();
});

test("of several groups the one with a free worker, else with the shortest queue", () => {
  const rig = new Rig({ queue: 2 });
  const one = rig.serve("a", { queue: "one", concurrency: 1 });
  const two = rig.serve("a", { queue: "two", concurrency: 1 });
  for (let index = 0; index < 7; index++) rig.request("a");
  assert.deepEqual(
    rig.outcomes.filter((outcome) => outcome !== undefined),
    ["QUEUE_FULL"],
  );
  while (one.held.length + two.held.length > 0) {
    if (one.held.length > 0) one.reply();
    if (two.held.length > 0) two.reply();
  }
  assert.equal(one.executed.length, 3);
  assert.equal(two.executed.length, 3);
  rig.assertCounted();
});

for (const concurrency of [0, -1, 0.5, NaN]) {
  test(`a worker that says it takes ${concurrency} at a time takes one`, () => {
    const rig = new Rig();
    const worker = rig.serve("a", { concurrency });
    rig.request("a");
    rig.request("a");
    assert.deepEqual(worker.texts, ["1"]);
    worker.reply();
    assert.deepEqual(worker.texts, ["1", "2"]);
  });
}
