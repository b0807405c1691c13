import assert from "node:assert/strict";
import { failure } from "../../message/failure.ts";
import { HoldingWorker } from "./actors.ts";
import type { Declare } from "./scene.ts";

/** How requests end without an answer. E-8, E-10, E-15, E-16 */
export function endings(scene: Declare): void {
  deadlines(scene);
  cancellation(scene);
  secondOutcomes(scene);
}

function deadlines(scene: Declare): void {
  scene("E-8, E-16: the deadline ends a request, and its worker is told", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "slow");
    assert.equal(await caller.ask("slow", "", 60), "DEADLINE");
    await worker.until(() => worker.canceled.length > 0);
    assert.deepEqual(worker.canceled, [{ job: worker.jobs[0]!.job, reason: "DEADLINE" }]);
    assert.equal(worker.reply(worker.jobs[0]!.job), false, "its answer is late");
  });

  scene("E-8: a request without time is not executed", async ({ caller, workers }) => {
    const worker = await HoldingWorker.echo(workers, "any");
    for (const timeoutMs of [0, -1, Number.NaN])
      assert.equal(await caller.ask("any", "x", timeoutMs), "DEADLINE");
    assert.equal(await caller.ask("any", "y"), "answered y");
    assert.deepEqual(worker.texts, ["y"]);
  });

  scene("E-8: a timeout that no timer takes is a long one", async ({ caller, workers }) => {
    await HoldingWorker.echo(workers, "any");
    for (const timeoutMs of [2 ** 31, 2 ** 53, Infinity])
      assert.equal(await caller.ask("any", "x", timeoutMs), "answered x");
  });

  scene("E-8: a request whose time is up in a queue is not executed", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
    const held = caller.request("any", "held");
    await worker.received(1);
    assert.equal(await caller.ask("any", "waits", 60), "DEADLINE");
    worker.reply(worker.jobs[0]!.job);
    assert.equal(await caller.outcome(held), "answered done");
    worker.onExecute = (job) => void worker.reply(job);
    assert.equal(await caller.ask("any", "next"), "answered done");
    assert.deepEqual(worker.texts, ["held", "next"]);
  });
}

function cancellation(scene: Declare): void {
  scene(
    "E-10: a canceled request tells its worker, and its caller hears nothing more",
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

  scene("E-10: the worker is told why a request was canceled", async ({ caller, callers, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const { handle } = caller.request("any");
    await worker.received(1);
    callers.cancel(handle, failure("DEADLINE"));
    await worker.until(() => worker.canceled.length > 0);
    assert.deepEqual(worker.canceled, [{ job: worker.jobs[0]!.job, reason: "DEADLINE" }]);
  });

  scene(
    "E-10: a request that is canceled in a queue is not executed",
    async ({ caller, callers, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const held = caller.request("any", "held");
      const { handle, tag } = caller.request("any", "waits");
      const last = caller.request("any", "last");
      callers.cancel(handle);
      await worker.received(1);
      worker.reply(worker.jobs[0]!.job);
      await worker.received(2);
      worker.reply(worker.jobs[1]!.job);
      assert.equal(await caller.outcome(held), "answered done");
      assert.equal(await caller.outcome(last), "answered done");
      assert.deepEqual([worker.texts, caller.outcomes[tag]], [["held", "last"], []]);
    },
  );

  scene(
    "E-10: canceling what has ended, or never was, changes nothing",
    async ({ caller, callers, workers }) => {
      await HoldingWorker.echo(workers, "any");
      const asked = caller.request("any", "x");
      assert.equal(await caller.outcome(asked), "answered x");
      for (const handle of [asked.handle, 0, 1, 123_456_789, -1]) callers.cancel(handle);
      assert.equal(await caller.ask("any", "y"), "answered y");
    },
  );
}

function secondOutcomes(scene: Declare): void {
  scene("E-15: a job ends once: a second answer is refused", async ({ caller, workers }) => {
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
    assert.deepEqual(worker.canceled, [], "a job that its worker has ended is not canceled (E-16)");
  });

  scene("E-15: a worker cannot answer the job of another", async ({ caller, workers }) => {
    const holder = await HoldingWorker.start(workers, "mine");
    const other = await HoldingWorker.start(workers, "theirs");
    const asked = caller.request("mine");
    await holder.received(1);
    assert.equal(other.reply(holder.jobs[0]!.job, "stolen"), false);
    assert.equal(other.fail(holder.jobs[0]!.job), false);
    assert.equal(holder.reply(holder.jobs[0]!.job, "right"), true);
    assert.equal(await caller.outcome(asked), "answered right");
  });
}
