import assert from "node:assert/strict";
import { test } from "node:test";
import { json } from "../../src/codec/json.ts";
import { valueOf } from "../../src/codec/values.ts";
import { Format, Message } from "../../src/message/message.ts";
import { Caller, Harness, textMessage } from "./harness.ts";

test("what waits is served in order as places become free", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 2 });
  for (let index = 0; index < 6; index++) harness.request("a");
  assert.deepEqual(worker.texts, ["1", "2"]);
  worker.reply();
  worker.fail();
  assert.deepEqual(worker.texts, ["1", "2", "3", "4"]);
  harness.broker.cancel(worker.held[0]!);
  assert.deepEqual(worker.texts, ["1", "2", "3", "4", "5"]);
  harness.assertCounted();
});

test("a job that waited gets what is left of its time", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a", 1_000);
  harness.request("a", 1_000);
  harness.clock.advance(300);
  worker.reply();
  assert.equal(worker.executed[1]?.timeoutMs, 700);
});

for (const how of ["leave", "lose"] as const) {
  test(`when one of two workers does ${how}, what waits is served by the other`, () => {
    const harness = new Harness();
    const one = harness.serve("a", { concurrency: 1 });
    const other = harness.serve("a", { concurrency: 1 });
    for (let index = 0; index < 4; index++) harness.request("a");
    const goes = one.texts[0] === "1" ? one : other;
    const stays = goes === one ? other : one;
    void goes.registration[how]();
    assert.equal(harness.outcomes[0], how === "lose" ? "WORKER_LOST" : undefined);
    if (how === "leave") assert.equal(goes.reply(), true, "what it holds it may still answer");
    for (let index = 0; index < 3; index++) assert.equal(stays.reply(), true);
    assert.deepEqual(stays.texts, ["2", "3", "4"]);
    assert.deepEqual(goes.texts, ["1"]);
    assert.equal(harness.broker.inFlight, 0);
    harness.assertCounted();
  });

  test(`when the last worker does ${how}, what waits has no responders at once`, () => {
    const harness = new Harness();
    const worker = harness.serve("a", { concurrency: 1 });
    for (let index = 0; index < 3; index++) harness.request("a");
    void worker.registration[how]();
    const first = how === "lose" ? "WORKER_LOST" : undefined;
    assert.deepEqual(harness.outcomes, [first, "NO_RESPONDERS", "NO_RESPONDERS"]);
    assert.equal(harness.broker.stats.noResponders, 2);
    harness.assertCounted();
    const next = harness.serve("a");
    harness.request("a");
    assert.deepEqual(next.texts, ["4"]);
    if (how === "leave") assert.equal(worker.reply(), true);
    assert.equal(harness.broker.inFlight, 1);
  });
}

test("a worker that joins takes what waits, once it can answer", () => {
  const harness = new Harness();
  const busy = harness.serve("a", { concurrency: 1 });
  for (let index = 0; index < 4; index++) harness.request("a");
  const joined = harness.serve("a", { concurrency: 2 });
  joined.onExecute = (job) => void joined.reply(job);
  harness.clock.advance(0);
  assert.deepEqual(joined.texts, ["2", "3", "4"]);
  assert.deepEqual(busy.texts, ["1"]);
  assert.deepEqual(harness.outcomes, [undefined, "answered ok", "answered ok", "answered ok"]);
});

test("a request does not overtake those that wait", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a");
  harness.request("a");
  harness.caller.onOutcome = (tag) => {
    if (tag === 1) harness.request("a");
  };
  worker.reply();
  worker.reply();
  worker.reply();
  assert.deepEqual(worker.texts, ["1", "2", "3"]);
});

test("a caller that asks again with each answer does not starve the others", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a");
  const other = new Caller();
  harness.broker.request(harness.broker.route("a"), textMessage("other"), 1_000, other, 1);
  harness.caller.onOutcome = () => void harness.request("a");
  for (let index = 0; index < 3; index++) worker.reply();
  assert.deepEqual(other.outcomes.get(1), ["answered ok"]);
});

test("a long queue before a worker that answers at once needs no deep stack", () => {
  const size = 50_000;
  const harness = new Harness({ queue: size, inFlight: 2 * size });
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a");
  for (let index = 0; index < size; index++) harness.request("a");
  worker.onExecute = (job) => void worker.reply(job);
  worker.reply();
  assert.equal(harness.broker.stats.answered, size + 1);
  harness.assertCounted();
});

test("canceling what waits makes room in the queue", () => {
  const harness = new Harness({ queue: 3 });
  harness.serve("a", { concurrency: 1 });
  harness.request("a");
  for (let index = 0; index < 1_000; index++) {
    const { handle } = harness.request("a");
    assert.ok(handle > 0);
    harness.broker.cancel(handle);
  }
  assert.equal(harness.broker.inFlight, 1);
  harness.assertCounted();
});

test("a message that waits is the one that was sent", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a");
  const buffer = Buffer.from("before");
  const message = Message.ofBytes(buffer, "", Format.text);
  harness.broker.request(harness.broker.route("a"), message, 1_000, harness.caller, 2);
  buffer.write("after!");
  worker.reply();
  assert.deepEqual(worker.texts, ["1", "before"]);
});

test("a value that cannot be encoded fails in the queue as it does at the worker", () => {
  const harness = new Harness();
  harness.serve("a", { concurrency: 1 });
  harness.request("a");
  const message = Message.ofValue(1n, json, Format.typed);
  assert.throws(() => valueOf(message));
  const caller = new Caller();
  assert.equal(harness.broker.request(harness.broker.route("a"), message, 1_000, caller, 7), 0);
  assert.deepEqual(caller.outcomes.get(7), ["BAD_PAYLOAD"]);
  assert.equal(harness.broker.inFlight, 1);
  harness.assertCounted();
});

test("of several groups the one with a free worker, else with the shortest queue", () => {
  const harness = new Harness({ queue: 2 });
  const one = harness.serve("a", { queue: "one", concurrency: 1 });
  const two = harness.serve("a", { queue: "two", concurrency: 1 });
  for (let index = 0; index < 7; index++) harness.request("a");
  assert.deepEqual(
    harness.outcomes.filter((outcome) => outcome !== undefined),
    ["QUEUE_FULL"],
  );
  while (one.held.length + two.held.length > 0) {
    if (one.held.length > 0) one.reply();
    if (two.held.length > 0) two.reply();
  }
  assert.equal(one.executed.length, 3);
  assert.equal(two.executed.length, 3);
  harness.assertCounted();
});

for (const concurrency of [0, -1, 0.5, NaN]) {
  test(`a worker that says it takes ${concurrency} at a time takes one`, () => {
    const harness = new Harness();
    const worker = harness.serve("a", { concurrency });
    harness.request("a");
    harness.request("a");
    assert.deepEqual(worker.texts, ["1"]);
    worker.reply();
    assert.deepEqual(worker.texts, ["1", "2"]);
  });
}
