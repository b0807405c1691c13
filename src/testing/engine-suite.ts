/** What every engine must do. Gated by its `supports` manifest, never by its name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Engine } from "../engine/engine.ts";
import { LintelError } from "../message/failure.ts";
import { HoldingWorker, RecordingCaller, RecordingSubscriber, textMessage } from "./engine-actors.ts";

/** Two engines that lead to the same place; they may be one. */
export interface EnginePair {
  /** Where the tests' callers and publishers are. */
  readonly callers: Engine;
  /** Where the tests' workers and subscribers are. */
  readonly workers: Engine;
  /** Closes both, and what they lead to. */
  close(): Promise<void>;
}

export interface EngineSuiteOptions {
  /** Each time another place, where nobody is registered. */
  readonly open: () => EnginePair | Promise<EnginePair>;
}

/** Everything a test of the suite has at hand. */
interface Scene extends EnginePair {
  readonly caller: RecordingCaller;
}

/** Declares the suite for one engine, as tests of `node:test`. */
export function engineSuite(name: string, options: EngineSuiteOptions): void {
  describe(`engine ${name}`, () => {
    const scene = (what: string, run: (scene: Scene) => Promise<void>): void =>
      void test(what, async () => {
        const pair = await options.open();
        try {
          await run({ ...pair, close: () => pair.close(), caller: new RecordingCaller(pair.callers) });
        } finally {
          await pair.close();
        }
      });
    requests(scene);
    endings(scene);
    workersThatLeave(scene);
    groups(scene);
    publications(scene);
    drainAndClose(scene);
  });
}

type Declare = (what: string, run: (scene: Scene) => Promise<void>) => void;

function requests(scene: Declare): void {
  scene(
    "a request is executed once, with its subject, payload and time, and its answer arrives",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "shop.*");
      const asked = caller.request("shop.order", "seven", 5_000);
      await worker.received(1);
      const [job] = worker.jobs;
      assert.deepEqual([job!.subject, job!.text, job!.attempt], ["shop.order", "seven", 1]);
      assert.ok(job!.timeoutMs > 0 && job!.timeoutMs <= 5_000, `${job!.timeoutMs} ms are left of 5000`);
      assert.equal(worker.reply(job!.job, "ordered"), true);
      assert.equal(await caller.outcome(asked), "answered ordered");
    },
  );

  scene("a worker may answer within `execute`", async ({ caller, workers }) => {
    await HoldingWorker.echo(workers, "echo", "heard ");
    assert.equal(await caller.ask("echo", "this"), "answered heard this");
  });

  scene("answers reach who has asked, in whatever order they come", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const asked = ["a", "b", "c", "d"].map((text) => caller.request("any", text));
    await worker.received(4);
    for (const { job, text } of worker.jobs.toReversed()) worker.reply(job, `to ${text}`);
    const outcomes = await Promise.all(asked.map((one) => caller.outcome(one)));
    assert.deepEqual(outcomes, ["answered to a", "answered to b", "answered to c", "answered to d"]);
  });

  scene("a failure arrives with the reason that its worker gave", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const asked = caller.request("any");
    await worker.received(1);
    assert.equal(worker.fail(worker.jobs[0]!.job), true);
    assert.equal(await caller.outcome(asked), "SOURCE_FAILED");
  });

  scene("a request that nobody serves fails at once", async ({ caller, workers }) => {
    await HoldingWorker.echo(workers, "other");
    assert.equal(await caller.ask("nobody"), "NO_RESPONDERS");
  });

  scene("a route is good for workers that come and go after it was made", async ({ caller, workers }) => {
    assert.equal(await caller.ask("late"), "NO_RESPONDERS");
    const worker = await HoldingWorker.echo(workers, "late");
    assert.equal(await caller.ask("late", "x"), "answered x");
    await worker.registration.leave();
    assert.equal(await caller.ask("late"), "NO_RESPONDERS");
  });

  scene("subjects and patterns are checked", async ({ callers, workers }) => {
    const worker = new HoldingWorker();
    for (const subject of ["", ".", "a..b", "a.*", "a.>", "a b", "a\n"])
      assert.throws(() => callers.route(subject), isReason("BAD_SUBJECT"), JSON.stringify(subject));
    for (const pattern of ["", "a..b", ">.a", "a b"]) {
      assert.throws(() => workers.serve(pattern, worker), isReason("BAD_SUBJECT"), JSON.stringify(pattern));
      assert.throws(() => workers.subscribe(pattern, new RecordingSubscriber()), isReason("BAD_SUBJECT"));
    }
    await Promise.resolve();
  });
}

function endings(scene: Declare): void {
  scene("the deadline ends a request, and its worker is told", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "slow");
    assert.equal(await caller.ask("slow", "", 60), "DEADLINE");
    await worker.until(() => worker.canceled.length > 0);
    assert.deepEqual(worker.canceled, [{ job: worker.jobs[0]!.job, reason: "DEADLINE" }]);
  });

  scene("a request without time is not executed", async ({ caller, workers }) => {
    const worker = await HoldingWorker.echo(workers, "any");
    for (const timeoutMs of [0, -1, Number.NaN])
      assert.equal(await caller.ask("any", "x", timeoutMs), "DEADLINE");
    assert.equal(await caller.ask("any", "y"), "answered y");
    assert.deepEqual(worker.texts, ["y"]);
  });

  scene(
    "a canceled request tells its worker, and its caller hears nothing more",
    async ({ caller, callers, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const { tag, handle } = caller.request("any");
      await worker.received(1);
      callers.cancel(handle);
      await worker.until(() => worker.canceled.length > 0);
      assert.deepEqual(worker.canceled, [{ job: worker.jobs[0]!.job, reason: "CALLER_GONE" }]);
      assert.equal(worker.reply(worker.jobs[0]!.job), false, "its answer is late");
      worker.onExecute = (job) => void worker.reply(job);
      assert.equal(await caller.ask("any"), "answered done");
      assert.deepEqual(caller.outcomes[tag], []);
    },
  );

  scene("canceling what has ended, or never was, changes nothing", async ({ caller, callers, workers }) => {
    await HoldingWorker.echo(workers, "any");
    const asked = caller.request("any", "x");
    assert.equal(await caller.outcome(asked), "answered x");
    for (const handle of [asked.handle, 0, 1, 123_456_789, -1]) callers.cancel(handle);
    assert.equal(await caller.ask("any", "y"), "answered y");
  });

  scene("a job ends once: a second answer is refused", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const asked = caller.request("any");
    await worker.received(1);
    const { job } = worker.jobs[0]!;
    assert.equal(worker.reply(job, "first"), true);
    assert.equal(worker.reply(job, "second"), false);
    assert.equal(worker.fail(job), false);
    assert.equal(worker.reply(job + 1_000_000), false, "a job that was never given out");
    assert.equal(await caller.outcome(asked), "answered first");
    await caller.ask("nobody"); // whatever the second answer might cause has been caused
    assert.deepEqual(caller.outcomes[asked.tag], ["answered first"]);
  });

  scene("a worker cannot answer the job of another", async ({ caller, workers }) => {
    const holder = await HoldingWorker.start(workers, "mine");
    const other = await HoldingWorker.start(workers, "theirs");
    const asked = caller.request("mine");
    await holder.received(1);
    assert.equal(other.reply(holder.jobs[0]!.job, "stolen"), false);
    assert.equal(holder.reply(holder.jobs[0]!.job, "right"), true);
    assert.equal(await caller.outcome(asked), "answered right");
  });
}

function workersThatLeave(scene: Declare): void {
  scene("a worker that leaves gets nothing new, and answers what it holds", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const asked = caller.request("any");
    await worker.received(1);
    await worker.registration.leave();
    assert.equal(await caller.ask("any"), "NO_RESPONDERS");
    assert.equal(worker.reply(worker.jobs[0]!.job), true);
    assert.equal(await caller.outcome(asked), "answered done");
    assert.equal(worker.jobs.length, 1);
  });

  scene(
    "a worker that is lost fails what it holds; it may have been executed",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const asked = [caller.request("any"), caller.request("any")];
      await worker.received(2);
      worker.registration.lose();
      for (const one of asked) assert.equal(await caller.outcome(one), "WORKER_LOST");
      assert.equal(worker.reply(worker.jobs[0]!.job), false);
    },
  );

  scene(
    "requests that wait when the last worker leaves fail as not executed",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const held = caller.request("any", "held");
      await worker.received(1);
      const waiting = caller.request("any", "waiting");
      await worker.registration.leave();
      assert.equal(await caller.outcome(waiting), "NO_RESPONDERS");
      worker.reply(worker.jobs[0]!.job);
      assert.equal(await caller.outcome(held), "answered done");
      assert.deepEqual(worker.texts, ["held"]);
    },
  );
}

function groups(scene: Declare): void {
  scene("a worker holds as many as it has said; the rest waits in order", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any", { concurrency: 2 });
    const asked = ["a", "b", "c", "d"].map((text) => caller.request("any", text));
    await worker.received(2);
    assert.equal(await caller.ask("nobody"), "NO_RESPONDERS");
    assert.deepEqual(worker.texts, ["a", "b"]);
    worker.reply(worker.jobs[1]!.job);
    await worker.received(3);
    worker.reply(worker.jobs[0]!.job);
    await worker.received(4);
    assert.deepEqual(worker.texts, ["a", "b", "c", "d"]);
    for (const { job } of worker.jobs.slice(2)) worker.reply(job);
    for (const one of asked) assert.equal(await caller.outcome(one), "answered done");
  });

  scene("no job is handed out before `serve` has returned", async ({ caller, workers }) => {
    const first = await HoldingWorker.start(workers, "any", { concurrency: 1 });
    const held = caller.request("any", "held");
    await first.received(1);
    const waiting = caller.request("any", "waiting");
    await caller.ask("nobody"); // both have arrived
    const second = new HoldingWorker();
    let hasReturned = false;
    let early = 0;
    second.onExecute = (job) => {
      if (!hasReturned) early++;
      else second.reply(job, "by the second");
    };
    second.registration = workers.serve("any", second, { concurrency: 1 });
    hasReturned = true;
    assert.equal(await caller.outcome(waiting), "answered by the second");
    assert.equal(early, 0);
    first.reply(first.jobs[0]!.job);
    assert.equal(await caller.outcome(held), "answered done");
  });

  scene("workers of one queue share its requests", async ({ caller, workers }) => {
    const both = [
      await HoldingWorker.start(workers, "any", { queue: "q" }),
      await HoldingWorker.start(workers, "any", { queue: "q" }),
    ];
    const asked = Array.from({ length: 10 }, () => caller.request("any"));
    await Promise.all(both.map((worker) => worker.received(5)));
    for (const worker of both) for (const { job } of worker.jobs) worker.reply(job);
    for (const one of asked) assert.equal(await caller.outcome(one), "answered done");
    assert.deepEqual(
      both.map(({ jobs }) => jobs.length),
      [5, 5],
    );
  });

  scene("the most specific pattern that somebody serves gets the request", async ({ caller, workers }) => {
    await HoldingWorker.echo(workers, "a.>", "rest ");
    const exact = await HoldingWorker.echo(workers, "a.b", "exact ");
    await HoldingWorker.echo(workers, "a.*", "one ");
    assert.equal(await caller.ask("a.b", "x"), "answered exact x");
    assert.equal(await caller.ask("a.c", "x"), "answered one x");
    assert.equal(await caller.ask("a.b.c", "x"), "answered rest x");
    await exact.registration.leave();
    assert.equal(await caller.ask("a.b", "x"), "answered one x");
  });
}

function publications(scene: Declare): void {
  const publish = async ({ callers }: Scene, subject: string, text: string): Promise<void> =>
    callers.publish(callers.route(subject), textMessage(text));

  scene("a publication reaches every subscriber whose pattern matches, in order", async (given) => {
    const [exact, all] = [new RecordingSubscriber(), new RecordingSubscriber()];
    await given.workers.subscribe("news.rome", exact).ready;
    await given.workers.subscribe("news.>", all).ready;
    await publish(given, "news.rome", "1");
    await publish(given, "news.oslo.north", "2");
    await publish(given, "sport", "3");
    await publish(given, "news.rome", "4");
    await Promise.all([exact.until(() => exact.heard.length >= 2), all.until(() => all.heard.length >= 3)]);
    assert.deepEqual(exact.heard, ["news.rome 1", "news.rome 4"]);
    assert.deepEqual(all.heard, ["news.rome 1", "news.oslo.north 2", "news.rome 4"]);
  });

  scene("a subscription that was closed hears nothing more", async (given) => {
    const [closed, open] = [new RecordingSubscriber(), new RecordingSubscriber()];
    const subscription = given.workers.subscribe("news", closed);
    await Promise.all([subscription.ready, given.workers.subscribe("news", open).ready]);
    await publish(given, "news", "1");
    await closed.until(() => closed.heard.length === 1);
    subscription.close();
    subscription.close();
    await given.workers.subscribe("fence", new RecordingSubscriber()).ready; // the close has arrived
    await publish(given, "news", "2");
    await open.until(() => open.heard.length === 2);
    assert.deepEqual(closed.heard, ["news 1"]);
  });

  scene("a publication that nobody hears is no error", async (given) => {
    await publish(given, "nobody", "x");
    assert.equal(await given.caller.ask("nobody"), "NO_RESPONDERS");
  });
}

function drainAndClose(scene: Declare): void {
  scene(
    "drain takes nothing new, and resolves when what is under way has ended",
    async ({ caller, callers, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const asked = caller.request("any");
      await worker.received(1);
      let hasDrained = false;
      const draining = callers.drain().then(() => {
        hasDrained = true;
      });
      assert.equal(await caller.ask("any"), "DRAINING");
      assert.equal(hasDrained, false);
      worker.reply(worker.jobs[0]!.job);
      assert.equal(await caller.outcome(asked), "answered done");
      await draining;
    },
  );

  scene(
    "close ends what is under way, and everything says so afterwards",
    async ({ caller, callers, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const route = callers.route("any");
      const asked = caller.request("any");
      await worker.received(1);
      await callers.close();
      await callers.close();
      assert.equal(await caller.outcome(asked), "CLOSED");
      assert.equal(await caller.ask("any"), "CLOSED");
      const isClosed = isReason("CLOSED");
      assert.throws(() => void callers.publish(route, textMessage("x")), isClosed);
      assert.throws(() => callers.serve("any", new HoldingWorker()), isClosed);
      assert.throws(() => callers.subscribe("any", new RecordingSubscriber()), isClosed);
      callers.cancel(asked.handle);
      await callers.drain();
      assert.deepEqual(caller.outcomes[asked.tag], ["CLOSED"]);
    },
  );

  scene(
    "when workers' engine closes, what they hold fails with a reason that says it may have been executed",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const asked = caller.request("any");
      await worker.received(1);
      await workers.close();
      assert.match(await caller.outcome(asked), /^(WORKER_LOST|CLOSED)$/);
      await worker.until(() => worker.canceled.length > 0);
      assert.equal(worker.reply(worker.jobs[0]!.job), false);
    },
  );
}

function isReason(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof LintelError && error.reason === reason;
}
