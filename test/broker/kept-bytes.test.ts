/** Requests that are kept are counted in bytes, for each caller and together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { json } from "../../src/codec/json.ts";
import { Format, Message } from "../../src/message/message.ts";
import { Caller, HandWorker, Harness, textMessage } from "./harness.ts";

/** A caller of its own. */
class Named extends Caller {
  readonly #name: string;
  #lastTag = 0;

  constructor(name: string) {
    super();
    this.#name = name;
  }

  callerOf(): string {
    return this.#name;
  }

  /** Sends a request of so many bytes. Returns its outcome, if it has one. */
  ask(harness: Harness, bytes: number, subject = "a"): string | undefined {
    const tag = ++this.#lastTag;
    harness.broker.request(harness.broker.route(subject), textMessage("x".repeat(bytes)), 1_000, this, tag);
    return this.outcomes.get(tag)?.[0];
  }
}

const LIMITS = { queueBytes: 100_000, callerShare: 25, payload: 10_000, headers: 0 };

/** What so many requests of this size do: how many of them wait. */
function fill(harness: Harness, caller: Named, bytes: number, times = 200): number {
  let waiting = 0;
  for (let count = 0; count < times; count++) {
    const outcome = caller.ask(harness, bytes);
    if (outcome === undefined) waiting++;
    else assert.equal(outcome, "QUEUE_FULL");
  }
  return waiting;
}

test("a caller has a share of the bytes that wait, and leaves room for the others", () => {
  const harness = new Harness(LIMITS);
  const worker = harness.serve("a", { concurrency: 1 });
  harness.request("a"); // holds the only place
  const callers = ["one", "two", "three", "four", "five"].map((name) => new Named(name));
  const waiting = callers.map((caller) => fill(harness, caller, 4_744)); // 5,000 with what each takes besides
  assert.deepEqual(waiting, [5, 5, 5, 5, 0], "and together they have a bound, too");
  assert.equal(harness.broker.keptBytes, 100_000);
  assert.equal(harness.broker.stats.queueFull, 5 * 200 - 20);
  worker.reply();
  assert.equal(harness.broker.keptBytes, 95_000, "what a worker is sent is kept no longer");
  assert.equal(callers[1]!.ask(harness, 4_744), "QUEUE_FULL", "its share is taken");
  assert.equal(callers[4]!.ask(harness, 4_744), undefined);
  while (worker.held.length > 0) worker.reply();
  assert.equal(harness.broker.keptBytes, 0);
});

test("a caller may always keep one request of the largest size", () => {
  const harness = new Harness({ ...LIMITS, callerShare: 1 });
  harness.serve("a", { concurrency: 1 });
  harness.request("a");
  const caller = new Named("one");
  assert.deepEqual([caller.ask(harness, 10_000), caller.ask(harness, 1)], [undefined, "QUEUE_FULL"]);
});

test("values are measured when they are encoded", () => {
  const harness = new Harness(LIMITS);
  harness.serve("a", { concurrency: 1 });
  harness.request("a");
  const caller = new Named("one");
  const value = Message.ofValue("x".repeat(20_000), json, Format.typed);
  harness.broker.request(harness.broker.route("a"), value, 1_000, caller, 1);
  harness.broker.request(harness.broker.route("a"), value, 1_000, caller, 2);
  assert.deepEqual([caller.outcomes.get(1), caller.outcomes.get(2)], [undefined, ["QUEUE_FULL"]]);
});

/** How a request that waits, or is held, may end. */
const ENDINGS: Readonly<
  Record<string, (harness: Harness, worker: HandWorker, handles: readonly number[]) => void>
> = {
  "its caller leaves": ({ broker }, _worker, handles) => handles.forEach((handle) => broker.cancel(handle)),
  "its deadline passes": ({ clock }) => clock.advance(2_000),
  "its worker leaves": (_rig, worker) => {
    void worker.registration.leave();
    while (worker.held.length > 0) worker.reply();
  },
  "its worker is lost": (_rig, worker) => worker.registration.lose(),
  "the broker is closed": ({ broker }) => broker.close(),
  "it is answered": (_rig, worker) => {
    while (worker.held.length > 0) worker.reply();
  },
  "it fails": (_rig, worker) => {
    while (worker.held.length > 0) worker.fail();
  },
};

for (const [ending, end] of Object.entries(ENDINGS)) {
  for (const attempts of [1, 3]) {
    test(`its bytes are given back when ${ending}, of ${attempts} attempts`, () => {
      const harness = new Harness();
      const worker = harness.serve("a", { concurrency: 1, attempts });
      const { broker, caller } = harness;
      const route = broker.route("a");
      const handles = [1, 2, 3].map((tag) => broker.request(route, textMessage("12345"), 1_000, caller, tag));
      assert.equal(broker.keptBytes, (attempts === 1 ? 2 : 3) * (256 + 5));
      end(harness, worker, handles);
      assert.equal(broker.keptBytes, 0);
      assert.equal(broker.inFlight, 0);
    });
  }
}

test("what a worker keeps counts until it ends, also when it is given back", () => {
  const harness = new Harness(LIMITS);
  class Keeping extends HandWorker {
    get keepsRequests(): boolean {
      return true;
    }
  }
  const worker = new Keeping(harness.broker, "a", { concurrency: 100 });
  const caller = new Named("one");
  assert.equal(fill(harness, caller, 4_744), 5, "of all that it is sent at once");
  const [job = 0] = worker.held;
  assert.ok(worker.registration.capacity!.release(job, textMessage("x".repeat(4_744)), false));
  assert.equal(harness.broker.keptBytes, 25_000);
  while (worker.held.length > 0) worker.reply();
  assert.equal(harness.broker.keptBytes, 0);
});
