import assert from "node:assert/strict";
import { OVERFLOWS } from "../../message/overflow.ts";
import { HoldingWorker, RecordingSubscriber, textMessage } from "./actors.ts";
import { isReason, type Declare } from "./scene.ts";

/** E-1 to E-7, E-9 */
export function requests(scene: Declare): void {
  scene("E-1: it says what it supports", async ({ callers, workers }) => {
    for (const { supports } of [callers, workers]) {
      const { durable, inProcess, attempts, capacity, streams, overflow } = supports;
      for (const one of [durable, inProcess, attempts, capacity, streams])
        assert.equal(typeof one, "boolean");
      assert.ok(overflow.every((policy) => OVERFLOWS.includes(policy)));
      assert.ok(overflow.includes("drop-newest"), "the default is always kept");
    }
    await Promise.resolve();
  });

  scene(
    "E-4, E-6, E-7: a request is executed once, with its subject, payload and time, and its answer arrives",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "shop.*");
      const before = workers.clock.now();
      const asked = caller.request("shop.order", "seven", 5_000);
      await worker.received(1);
      const [job] = worker.jobs;
      assert.deepEqual([job!.subject, job!.text, job!.attempt], ["shop.order", "seven", 1]);
      assert.ok(job!.timeoutMs > 0 && job!.timeoutMs <= 5_000, `${job!.timeoutMs} ms are left of 5000`);
      assert.ok(job!.now >= before - 5_000 && job!.now <= workers.clock.now(), "by the clock of the engine");
      assert.equal(worker.reply(job!.job, "ordered"), true);
      assert.equal(await caller.outcome(asked), "answered ordered");
    },
  );

  scene("E-15: a worker may answer within `execute`", async ({ caller, workers }) => {
    await HoldingWorker.echo(workers, "echo", "heard ");
    assert.equal(await caller.ask("echo", "this"), "answered heard this");
  });

  scene("E-15: a worker may fail a job within `execute`", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    worker.onExecute = (job) => void worker.fail(job);
    assert.equal(await caller.ask("any"), "SOURCE_FAILED");
  });

  scene("E-6: answers reach who has asked, in whatever order they come", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const asked = ["a", "b", "c", "d"].map((text) => caller.request("any", text));
    await worker.received(4);
    for (const { job, text } of worker.jobs.toReversed()) worker.reply(job, `to ${text}`);
    const outcomes = await Promise.all(asked.map((one) => caller.outcome(one)));
    assert.deepEqual(outcomes, ["answered to a", "answered to b", "answered to c", "answered to d"]);
  });

  scene("E-6: a handle is 0 exactly when the outcome is known", async ({ caller, workers }) => {
    await HoldingWorker.echo(workers, "echo");
    await HoldingWorker.start(workers, "held");
    for (const [subject, timeoutMs] of [
      ["echo", 10_000],
      ["held", 10_000],
      ["nobody", 10_000],
      ["echo", 0],
    ] as const) {
      const { tag, handle } = caller.request(subject, "x", timeoutMs);
      assert.equal(handle === 0, caller.outcomes[tag]!.length > 0, subject);
    }
  });

  scene("E-6: a failure arrives with the reason that its worker gave", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const asked = caller.request("any");
    await worker.received(1);
    assert.equal(worker.fail(worker.jobs[0]!.job), true);
    assert.equal(await caller.outcome(asked), "SOURCE_FAILED");
  });

  scene("E-7: a request that nobody serves fails at once", async ({ caller, workers }) => {
    await HoldingWorker.echo(workers, "other");
    const asked = caller.request("nobody");
    assert.equal(await caller.outcome(asked), "NO_RESPONDERS");
    assert.equal(caller.isRetryable(asked), true);
  });

  scene(
    "E-7: the most specific pattern that somebody serves gets the request",
    async ({ caller, workers }) => {
      await HoldingWorker.echo(workers, "a.>", "rest ");
      const exact = await HoldingWorker.echo(workers, "a.b", "exact ");
      await HoldingWorker.echo(workers, "a.*", "one ");
      assert.equal(await caller.ask("a.b", "x"), "answered exact x");
      assert.equal(await caller.ask("a.c", "x"), "answered one x");
      assert.equal(await caller.ask("a.b.c", "x"), "answered rest x");
      await exact.registration.leave();
      assert.equal(await caller.ask("a.b", "x"), "answered one x");
    },
  );

  scene(
    "E-5: a route is good for workers that come and go after it was made",
    async ({ caller, workers }) => {
      assert.equal(await caller.ask("late"), "NO_RESPONDERS");
      const worker = await HoldingWorker.echo(workers, "late");
      assert.equal(await caller.ask("late", "x"), "answered x");
      await worker.registration.leave();
      assert.equal(await caller.ask("late"), "NO_RESPONDERS");
    },
  );

  scene("E-2: subjects and patterns are checked", async ({ callers, workers }) => {
    const worker = new HoldingWorker();
    for (const subject of ["", ".", "a..b", "a.*", "a.>", "a b", "a\n"])
      assert.throws(() => callers.route(subject), isReason("BAD_SUBJECT"), JSON.stringify(subject));
    for (const pattern of ["", "a..b", ">.a", "a b"]) {
      assert.throws(() => workers.serve(pattern, worker), isReason("BAD_SUBJECT"), JSON.stringify(pattern));
      assert.throws(() => workers.subscribe(pattern, new RecordingSubscriber()), isReason("BAD_SUBJECT"));
    }
    await Promise.resolve();
  });

  scene(
    "E-2: outcomes, jobs and publications may lead to more calls",
    async ({ caller, callers, workers }) => {
      const echo = await HoldingWorker.echo(workers, "echo");
      const heard = new RecordingSubscriber();
      await workers.subscribe("news", heard).ready;
      const worker = await HoldingWorker.start(workers, "any");
      worker.onExecute = () => {
        const late = new HoldingWorker();
        late.registration = workers.serve("late", late);
      };
      const held = await HoldingWorker.start(workers, "held");
      const [first, second] = [caller.request("any"), caller.request("held")];
      await Promise.all([worker.received(1), held.received(1)]);
      caller.onOutcome = (tag) => {
        if (tag !== first.tag) return;
        caller.request("echo", "from within");
        callers.cancel(second.handle);
        void callers.publish(callers.route("news"), textMessage("from within"));
      };
      worker.reply(worker.jobs[0]!.job);
      await echo.until(() => echo.texts.includes("from within"));
      await held.until(() => held.canceled.length > 0);
      await heard.until(() => heard.heard.length > 0);
      assert.deepEqual(heard.heard, ["news from within"]);
    },
  );

  scene(
    "E-3: a message and its bytes may be used again once the call returns",
    async ({ caller, callers, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const heard = new RecordingSubscriber();
      await workers.subscribe("news", heard).ready;
      const bytes = Buffer.from("first");
      const message = textMessage("");
      message.bytes = bytes;
      message.end = bytes.length;
      const sent = [caller.send("any", message)];
      void callers.publish(callers.route("news"), message);
      bytes.set(Buffer.from("other"));
      sent.push(caller.send("any", message)); // waits, while the first is held
      bytes.fill(0);
      await worker.received(1);
      worker.reply(worker.jobs[0]!.job);
      await worker.received(2);
      worker.reply(worker.jobs[1]!.job);
      for (const one of sent) assert.equal(await caller.outcome(one), "answered done");
      await heard.until(() => heard.heard.length > 0);
      assert.deepEqual([worker.texts, heard.heard], [["first", "other"], ["news first"]]);
    },
  );

  scene.bounded(
    "E-9: past the bound of a queue requests fail at once",
    { queue: 2 },
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const asked = ["a", "b", "c", "d"].map((text) => caller.request("any", text));
      assert.equal(await caller.outcome(asked[3]!), "QUEUE_FULL");
      assert.equal(caller.isRetryable(asked[3]!), true);
      worker.onExecute = (job) => void worker.reply(job);
      worker.reply(worker.jobs[0]!.job);
      for (const one of asked.slice(0, 3)) assert.equal(await caller.outcome(one), "answered done");
      assert.deepEqual(worker.texts, ["a", "b", "c"]);
    },
  );

  scene.bounded(
    "E-9: past the bound of requests in flight they fail at once",
    { inFlight: 2 },
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const asked = ["a", "b", "c"].map((text) => caller.request("any", text));
      assert.equal(await caller.outcome(asked[2]!), "IN_FLIGHT_FULL");
      assert.equal(caller.isRetryable(asked[2]!), true);
      await worker.received(2);
      for (const { job } of worker.jobs) worker.reply(job);
      for (const one of asked.slice(0, 2)) assert.equal(await caller.outcome(one), "answered done");
      const again = caller.request("any", "d");
      await worker.received(3);
      worker.reply(worker.jobs[2]!.job);
      assert.equal(await caller.outcome(again), "answered done", "there is room again");
    },
  );
}
