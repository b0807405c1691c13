/** What an observer of a broker hears. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LateReply, RegistrationEvent, SettledRequest } from "../../src/observe/observer.ts";
import { Harness, textMessage, type HandWorker } from "./harness.ts";

/** A broker that is observed. */
class Observed extends Harness {
  readonly settled: SettledRequest[];

  constructor(limits?: ConstructorParameters<typeof Harness>[0]) {
    const settled: SettledRequest[] = [];
    super(limits, { settled: (request) => void settled.push(request) });
    this.settled = settled;
  }

  get told(): string[] {
    return this.settled.map(({ reason, attempts }) => `${reason ?? "ok"} ${attempts}`);
  }
}

const IN_PROCESS = { gateway: "process", remote: undefined, principal: undefined };

test("a request that is answered is told of with its worker and its times", () => {
  const harness = new Observed();
  const worker = harness.serve("a.*", { concurrency: 1 });
  harness.request("a.b", 700);
  harness.request("a.c", 900);
  harness.clock.advance(30);
  worker.reply();
  harness.clock.advance(4);
  worker.fail();
  const shared = { ...IN_PROCESS, worker: IN_PROCESS, attempts: 1 };
  assert.deepEqual(harness.settled, [
    { ...shared, subject: "a.b", code: "ok", reason: undefined, timeoutMs: 700, queuedMs: 0, workerMs: 30 },
    {
      ...shared,
      subject: "a.c",
      code: "internal",
      reason: "MINE",
      timeoutMs: 900,
      queuedMs: 30,
      workerMs: 4,
    },
  ]);
});

test("the time of an answer is what its worker says, where it knows", () => {
  const harness = new Observed();
  const worker = harness.serve("a");
  const { handle } = harness.request("a");
  harness.clock.advance(10);
  worker.registration.reply(handle, textMessage("ok"), harness.clock.now() - 3);
  assert.equal(harness.settled[0]!.workerMs, 7);
});

const ENDS: readonly [told: string, run: (harness: Observed, worker: HandWorker, handle: number) => void][] =
  [
    ["ok 1", (_harness, worker) => worker.reply()],
    ["MINE 1", (_harness, worker) => worker.fail()],
    ["DEADLINE 1", (harness) => harness.clock.advance(2_000)],
    ["CALLER_GONE 1", (harness, _worker, handle) => harness.broker.cancel(handle)],
    ["WORKER_LOST 1", (_harness, worker) => worker.registration.lose()],
    ["CLOSED 1", (harness) => harness.broker.close()],
  ];

for (const [told, run] of ENDS) {
  test(`told once, after its sink: ${told}`, () => {
    const harness = new Observed();
    const worker = harness.serve("a");
    const { handle } = harness.request("a");
    harness.caller.onOutcome = () => assert.deepEqual(harness.settled, []);
    assert.deepEqual(harness.told, []);
    run(harness, worker, handle);
    const check = (): void => assert.deepEqual(harness.told, [told]);
    check();
    worker.reply(handle);
    harness.clock.advance(10_000);
    harness.broker.close();
    check();
  });
}

test("requests that end in a queue, and those that are not taken, have had no worker", () => {
  const harness = new Observed({ queue: 4, inFlight: 6 });
  harness.request("nobody");
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a", 0);
  harness.request("a", 60_000);
  harness.request("a", 50);
  harness.clock.advance(100);
  harness.broker.cancel(harness.request("a", 60_000).handle);
  for (let index = 0; index < 5; index++) harness.request("a", 60_000);
  harness.serve("b");
  harness.request("b");
  harness.request("b");
  harness.broker.drain(() => undefined);
  harness.request("a");
  void worker.registration.leave();
  harness.broker.close();
  harness.request("a");
  assert.deepEqual(harness.told, [
    "NO_RESPONDERS 0",
    "DEADLINE 0",
    "DEADLINE 0",
    "CALLER_GONE 0",
    "QUEUE_FULL 0",
    "IN_FLIGHT_FULL 0",
    "DRAINING 0",
    ...new Array<string>(4).fill("NO_RESPONDERS 0"),
    "CLOSED 1",
    "CLOSED 1",
    "CLOSED 0",
  ]);
  assert.equal(harness.broker.stats.requests, harness.settled.length);
  for (const { attempts, worker: held } of harness.settled) assert.equal(held !== undefined, attempts > 0);
  assert.equal(harness.settled[2]!.queuedMs, 50);
});

test("a request that is handed out again is told of once, with the times of all attempts", () => {
  const harness = new Observed();
  const first = harness.serve("a", { attempts: 2, concurrency: 1 });
  harness.request("a");
  harness.request("a");
  harness.clock.advance(10);
  const second = harness.serve("a", { attempts: 2, concurrency: 1 });
  harness.clock.advance(5);
  first.registration.lose();
  harness.clock.advance(20);
  second.reply();
  harness.clock.advance(3);
  second.reply();
  assert.deepEqual(
    harness.settled.map(({ attempts, queuedMs, workerMs }) => ({ attempts, queuedMs, workerMs })),
    [
      { attempts: 1, queuedMs: 10, workerMs: 25 },
      { attempts: 2, queuedMs: 20, workerMs: 18 },
    ],
  );
});

test("late replies, publications and registrations are told of", () => {
  const late: LateReply[] = [];
  const published: string[] = [];
  const registered: string[] = [];
  const harness = new Harness(undefined, {
    lateReply: (event) => void late.push(event),
    published: (subject, deliveries) => void published.push(`${subject} ${deliveries}`),
    registration: ({ event, kind, pattern, queue, gateway }: RegistrationEvent) =>
      void registered.push(`${event} ${kind} ${pattern} ${queue} ${gateway}`),
  });
  const worker = harness.serve("a.*", { queue: "q" });
  const { handle } = harness.request("a.b");
  worker.reply();
  worker.reply(handle);
  worker.fail(handle);
  assert.deepEqual(late, [
    { pattern: "a.*", ...IN_PROCESS },
    { pattern: "a.*", ...IN_PROCESS },
  ]);
  const origin = { gateway: "native", remote: "tcp://10.0.0.7:5", principal: undefined };
  const listening = harness.broker.subscribe("news.>", { origin, deliver: () => undefined });
  harness.publish("news.rome", "x");
  listening.close();
  listening.close();
  harness.publish("news.rome", "x");
  void worker.registration.leave();
  worker.registration.lose();
  assert.deepEqual(published, ["news.rome 1", "news.rome 0"]);
  assert.deepEqual(registered, [
    "added service a.* q process",
    "added subscription news.>  native",
    "removed subscription news.>  native",
    "removed service a.* q process",
  ]);
  assert.throws(() => harness.serve("a..b"));
  assert.throws(() => harness.broker.subscribe("a..b", { deliver: () => undefined }));
  assert.equal(registered.length, 4);
});

test("an observer that asks for what is just being registered does not reach it before `serve` has returned", () => {
  let executed = 0;
  const harness = new Harness(undefined, {
    registration: ({ event }) => {
      if (event === "added") harness.request("a");
    },
  });
  const worker = harness.serve("a");
  worker.onExecute = () => executed++;
  assert.equal(worker.executed.length, 0);
  harness.request("a");
  harness.clock.advance(1);
  assert.equal(worker.executed.length, 1);
  assert.deepEqual(harness.outcomes, ["NO_RESPONDERS", undefined]);
});
