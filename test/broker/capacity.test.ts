import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness, textMessage, type HandWorker } from "./harness.ts";

const placesOf = ({ registration }: HandWorker): NonNullable<typeof registration.capacity> => {
  assert.ok(registration.capacity !== undefined);
  return registration.capacity;
};

test("a worker without places is given nothing, and what comes waits", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  placesOf(worker).resize(0);
  harness.request("a");
  harness.request("a");
  assert.deepEqual(worker.texts, []);
  placesOf(worker).resize(1);
  assert.deepEqual(worker.texts, ["1"], "what waits is handed out before resize returns");
  placesOf(worker).resize(2);
  assert.deepEqual(worker.texts, ["1", "2"]);
  harness.assertCounted();
});

test("a job that is set aside takes no place, and is held until it ends", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  const { handle } = harness.request("a");
  harness.request("a");
  assert.deepEqual(worker.texts, ["1"]);
  placesOf(worker).detach(handle);
  placesOf(worker).detach(handle); // counts once
  placesOf(worker).resize(0);
  placesOf(worker).resize(1);
  assert.deepEqual(worker.texts, ["1", "2"]);
  harness.request("a");
  assert.equal(worker.reply(handle), true);
  assert.deepEqual(worker.texts, ["1", "2"], "its end frees no place");
  worker.reply();
  assert.deepEqual(worker.texts, ["1", "2", "3"]);
});

test("who has a free place is chosen however many jobs it has set aside", () => {
  const harness = new Harness();
  const puller = harness.serve("a", { concurrency: 1 });
  const pusher = harness.serve("a", { concurrency: 4 });
  for (let round = 0; round < 8; round++) {
    harness.request("a");
    for (const job of puller.held) placesOf(puller).detach(job);
    if (pusher.held.length > 0) pusher.reply();
  }
  assert.ok(puller.texts.length >= 3, `the puller was given ${puller.texts.length} of 8`);
  assert.ok(pusher.texts.length >= 3, `the pusher was given ${pusher.texts.length} of 8`);
});

test("a job that is given back goes to the next worker before what waits", () => {
  const harness = new Harness();
  const one = harness.serve("a", { concurrency: 1 });
  const first = harness.request("a");
  harness.request("a");
  const other = harness.serve("a", { concurrency: 1 });
  placesOf(one).resize(0);
  assert.equal(placesOf(one).release(first.handle, textMessage("1 again"), true), true);
  assert.deepEqual(other.texts, ["1 again"]);
  harness.clock.advance(0);
  other.reply();
  assert.deepEqual(other.texts, ["1 again", "2"]);
  assert.equal(one.registration.reply(first.handle, textMessage("late")), false);
  assert.equal(placesOf(one).release(first.handle, textMessage("late"), true), false);
  assert.deepEqual(harness.outcomes, ["answered ok", undefined]);
  harness.assertCounted();
});

test("a job that waits after it was given back keeps its deadline", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  const { handle } = harness.request("a", 500);
  harness.clock.advance(200);
  placesOf(worker).resize(0);
  assert.equal(placesOf(worker).release(handle, textMessage("1"), true), true);
  placesOf(worker).resize(1);
  assert.equal(worker.executed[1]?.timeoutMs, 300);
  placesOf(worker).resize(0);
  assert.equal(placesOf(worker).release(handle, textMessage("1"), true), true);
  harness.clock.advance(310);
  assert.deepEqual(harness.outcomes, ["DEADLINE"]);
});

test("a request counts how often it was executed, and not when nobody saw it", () => {
  const harness = new Harness();
  const attempts: number[] = [];
  const worker = {
    execute: (...args: [number, unknown, unknown, number, number, number]) => void attempts.push(args[5]),
    cancel: () => undefined,
  };
  const registration = harness.broker.serve("a", worker);
  const { handle } = harness.request("a");
  registration.capacity!.resize(1);
  registration.capacity!.release(handle, textMessage("1"), true);
  registration.capacity!.release(handle, textMessage("1"), false);
  assert.deepEqual(attempts, [1, 2, 2]);
});

test("nobody to take it: a job cannot be given back", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  const { handle } = harness.request("a");
  void worker.registration.leave();
  assert.equal(placesOf(worker).release(handle, textMessage("1"), true), false);
  assert.equal(worker.reply(handle), true, "it is still held");
});

test("a group that hands out again gives the requests of a lost worker to the others", () => {
  const harness = new Harness();
  const one = harness.serve("a", { attempts: 2 });
  const other = harness.serve("a");
  for (let index = 0; index < 4; index++) harness.request("a");
  assert.equal(one.texts.length, 2);
  one.registration.lose();
  assert.equal(other.texts.length, 4, "all of them");
  other.registration.lose();
  assert.deepEqual(harness.outcomes, Array(4).fill("WORKER_LOST"), "nobody is left");
  harness.assertCounted();
});

test("attempts are an end", () => {
  const harness = new Harness();
  harness.serve("a", { attempts: 2, concurrency: 1 }).registration.capacity!.resize(0);
  harness.request("a");
  for (let round = 0; round < 2; round++) {
    const worker = harness.serve("a", { concurrency: 1 });
    harness.clock.advance(0);
    assert.deepEqual(worker.texts, ["1"]);
    worker.registration.lose();
  }
  assert.deepEqual(harness.outcomes, ["WORKER_LOST"]);
  harness.assertCounted();
});

test("jobs that are set aside are lost with their worker", () => {
  const harness = new Harness();
  const worker = harness.serve("a");
  const { handle } = harness.request("a");
  placesOf(worker).detach(handle);
  worker.registration.lose();
  assert.deepEqual(harness.outcomes, ["WORKER_LOST"]);
});
