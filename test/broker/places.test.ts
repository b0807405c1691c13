import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig, textMessage, type HandWorker } from "./rig.ts";

const placesOf = ({ registration }: HandWorker): NonNullable<typeof registration.places> => {
  assert.ok(registration.places !== undefined);
  return registration.places;
};

test("a worker without places is given nothing, and what comes waits", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  placesOf(worker).resize(0);
  rig.request("a");
  rig.request("a");
  assert.deepEqual(worker.texts, []);
  placesOf(worker).resize(1);
  assert.deepEqual(worker.texts, ["1"], "what waits is handed out before resize returns");
  placesOf(worker).resize(2);
  assert.deepEqual(worker.texts, ["1", "2"]);
  rig.assertCounted();
});

test("a job that is set aside takes no place, and is held until it ends", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  const { handle } = rig.request("a");
  rig.request("a");
  assert.deepEqual(worker.texts, ["1"]);
  placesOf(worker).setAside(handle);
  placesOf(worker).setAside(handle); // counts once
  placesOf(worker).resize(0);
  placesOf(worker).resize(1);
  assert.deepEqual(worker.texts, ["1", "2"]);
  rig.request("a");
  assert.equal(worker.reply(handle), true);
  assert.deepEqual(worker.texts, ["1", "2"], "its end frees no place");
  worker.reply();
  assert.deepEqual(worker.texts, ["1", "2", "3"]);
});

test("who has a free place is chosen however many jobs it has set aside", () => {
  const rig = new Rig();
  const puller = rig.serve("a", { concurrency: 1 });
  const pusher = rig.serve("a", { concurrency: 4 });
  for (let round = 0; round < 8; round++) {
    rig.request("a");
    for (const job of puller.held) placesOf(puller).setAside(job);
    if (pusher.held.length > 0) pusher.reply();
  }
  assert.ok(puller.texts.length >= 3, `the puller was given ${puller.texts.length} of 8`);
  assert.ok(pusher.texts.length >= 3, `the pusher was given ${pusher.texts.length} of 8`);
});

test("a job that is given back goes to the next worker before what waits", () => {
  const rig = new Rig();
  const one = rig.serve("a", { concurrency: 1 });
  const first = rig.request("a");
  rig.request("a");
  const other = rig.serve("a", { concurrency: 1 });
  placesOf(one).resize(0);
  assert.equal(placesOf(one).release(first.handle, textMessage("1 again"), true), true);
  assert.deepEqual(other.texts, ["1 again"]);
  rig.clock.advance(0);
  other.reply();
  assert.deepEqual(other.texts, ["1 again", "2"]);
  assert.equal(one.registration.reply(first.handle, textMessage("late")), false);
  assert.equal(placesOf(one).release(first.handle, textMessage("late"), true), false);
  assert.deepEqual(rig.outcomes, ["answered ok", undefined]);
  rig.assertCounted();
});

test("a job that waits after it was given back keeps its deadline", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  const { handle } = rig.request("a", 500);
  rig.clock.advance(200);
  placesOf(worker).resize(0);
  assert.equal(placesOf(worker).release(handle, textMessage("1"), true), true);
  placesOf(worker).resize(1);
  assert.equal(worker.executed[1]?.timeoutMs, 300);
  placesOf(worker).resize(0);
  assert.equal(placesOf(worker).release(handle, textMessage("1"), true), true);
  rig.clock.advance(310);
  assert.deepEqual(rig.outcomes, ["DEADLINE"]);
});

test("a request counts how often it was executed, and not when nobody saw it", () => {
  const rig = new Rig();
  const attempts: number[] = [];
  const worker = {
    execute: (...args: [number, unknown, unknown, number, number, number]) => void attempts.push(args[5]),
    cancel: () => undefined,
  };
  const registration = rig.broker.serve("a", worker);
  const { handle } = rig.request("a");
  registration.places!.resize(1);
  registration.places!.release(handle, textMessage("1"), true);
  registration.places!.release(handle, textMessage("1"), false);
  assert.deepEqual(attempts, [1, 2, 2]);
});

test("nobody to take it: a job cannot be given back", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  const { handle } = rig.request("a");
  void worker.registration.leave();
  assert.equal(placesOf(worker).release(handle, textMessage("1"), true), false);
  assert.equal(worker.reply(handle), true, "it is still held");
});

test("a group that hands out again gives the requests of a lost worker to the others", () => {
  const rig = new Rig();
  const one = rig.serve("a", { attempts: 2 });
  const other = rig.serve("a");
  for (let index = 0; index < 4; index++) rig.request("a");
  assert.equal(one.texts.length, 2);
  one.registration.lose();
  assert.equal(other.texts.length, 4, "all of them");
  other.registration.lose();
  assert.deepEqual(rig.outcomes, Array(4).fill("WORKER_LOST"), "nobody is left");
  rig.assertCounted();
});

test("attempts are an end", () => {
  const rig = new Rig();
  rig.serve("a", { attempts: 2, concurrency: 1 }).registration.places!.resize(0);
  rig.request("a");
  for (let round = 0; round < 2; round++) {
    const worker = rig.serve("a", { concurrency: 1 });
    rig.clock.advance(0);
    assert.deepEqual(worker.texts, ["1"]);
    worker.registration.lose();
  }
  assert.deepEqual(rig.outcomes, ["WORKER_LOST"]);
  rig.assertCounted();
});

test("jobs that are set aside are lost with their worker", () => {
  const rig = new Rig();
  const worker = rig.serve("a");
  const { handle } = rig.request("a");
  placesOf(worker).setAside(handle);
  worker.registration.lose();
  assert.deepEqual(rig.outcomes, ["WORKER_LOST"]);
});
