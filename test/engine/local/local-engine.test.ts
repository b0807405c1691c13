import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import type { Sink, Worker } from "../../../src/message/delivery.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { Format, Message } from "../../../src/message/message.ts";
import { OVERFLOWS } from "../../../src/message/overflow.ts";
import { FakeClock } from "../../../src/testing/index.ts";

const EMPTY = Message.ofBytes(new Uint8Array(0), "", Format.typed);

class Outcomes implements Sink {
  readonly all: string[] = [];
  answered(tag: number): void {
    this.all.push(`${tag} answered`);
  }
  failed(tag: number, why: { readonly reason: string }): void {
    this.all.push(`${tag} ${why.reason}`);
  }
}

class Holder implements Worker {
  readonly jobs: number[] = [];
  readonly canceled: string[] = [];
  execute(job: number): void {
    this.jobs.push(job);
  }
  cancel(job: number, why: { readonly reason: string }): void {
    this.canceled.push(`${job} ${why.reason}`);
  }
}

function start() {
  const clock = new FakeClock();
  const engine = new LocalEngine({ clock, limits: { queue: 1 } });
  const outcomes = new Outcomes();
  const worker = new Holder();
  const request = (tag: number, timeoutMs = 1_000): number =>
    engine.request(engine.route("a"), EMPTY, timeoutMs, outcomes, tag);
  return { clock, engine, outcomes, worker, request };
}

const isClosed = (error: unknown): boolean => error instanceof LintelError && error.reason === "CLOSED";

test("it is a broker: requests, answers, cancellation, deadlines, counters", () => {
  const { clock, engine, outcomes, worker, request } = start();
  const registration = engine.serve("a", worker, { concurrency: 2 });
  const handle = request(1);
  request(2, 20);
  request(3);
  request(4);
  engine.cancel(handle);
  clock.advance(30);
  registration.reply(worker.jobs[2]!, EMPTY);
  assert.deepEqual(outcomes.all, ["4 QUEUE_FULL", "2 DEADLINE", "3 answered"]);
  assert.deepEqual(worker.canceled, [`${handle} CALLER_GONE`, `${worker.jobs[1]} DEADLINE`]);
  assert.equal(engine.inFlight, 0);
  assert.equal(engine.stats.requests, 4);
  const supported = { inProcess: true, attempts: true, capacity: true, streams: true };
  assert.deepEqual(engine.supports, { durable: false, overflow: OVERFLOWS, ...supported });
});

test("drain resolves when the last request has ended", async () => {
  const { engine, outcomes, worker, request } = start();
  const registration = engine.serve("a", worker);
  const handle = request(1);
  let drained = false;
  const draining = engine.drain().then(() => {
    drained = true;
  });
  request(2);
  await Promise.resolve();
  assert.equal(drained, false);
  registration.reply(handle, EMPTY);
  await draining;
  assert.deepEqual(outcomes.all, ["2 DRAINING", "1 answered"]);
});

test("what is under way ends when it is closed, a drain too, and no timer stays", async () => {
  const { clock, engine, outcomes, worker, request } = start();
  engine.serve("a", worker, { concurrency: 1 });
  const handle = request(1);
  request(2);
  const draining = engine.drain();
  await engine.close();
  await draining;
  assert.deepEqual(outcomes.all, ["1 CLOSED", "2 CLOSED"]);
  assert.deepEqual(worker.canceled, [`${handle} CLOSED`]);
  assert.equal(worker.jobs.length, 1);
  assert.equal(clock.pending, 0);
});

test("everything says so once it is closed", async () => {
  const { engine, outcomes, worker, request } = start();
  const route = engine.route("a");
  const registration = engine.serve("a", worker);
  const subscription = engine.subscribe("a", { deliver: () => assert.fail("nothing is delivered") });
  await engine.close();
  await engine.close();
  assert.throws(() => engine.publish(route, EMPTY), isClosed);
  assert.throws(() => engine.subscribe("a", { deliver: () => undefined }), isClosed);
  assert.throws(() => engine.serve("a", worker), isClosed);
  assert.equal(request(1), 0);
  assert.deepEqual(outcomes.all, ["1 CLOSED"]);
  engine.cancel(1);
  assert.equal(registration.reply(1, EMPTY), false);
  void registration.leave();
  registration.lose();
  subscription.close();
  await engine.drain();
});
