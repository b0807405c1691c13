import assert from "node:assert/strict";
import { failure } from "../../message/failure.ts";
import { HoldingWorker, RecordingSubscriber, textMessage } from "./actors.ts";
import { isReason, type Declare } from "./scene.ts";

/** E-27 to E-31 */
export function drainAndClose(scene: Declare): void {
  draining(scene);
  closing(scene);
}

function draining(scene: Declare): void {
  scene(
    "E-27: drain takes nothing new, and resolves when what is under way has ended",
    async ({ caller, callers, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const asked = [caller.request("any", "held"), caller.request("any", "waits")];
      await worker.received(1);
      let hasDrained = false;
      const drained = callers.drain().then(() => {
        hasDrained = true;
      });
      const refused = caller.request("any");
      assert.equal(await caller.outcome(refused), "DRAINING");
      assert.equal(caller.isRetryable(refused), true);
      void callers.publish(callers.route("news"), textMessage("still goes"));
      assert.equal(hasDrained, false);
      worker.reply(worker.jobs[0]!.job);
      await worker.received(2);
      worker.reply(worker.jobs[1]!.job);
      for (const one of asked) assert.equal(await caller.outcome(one), "answered done");
      await drained;
    },
  );

  scene("E-27: workers end what they hold while their engine drains", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const asked = caller.request("any");
    await worker.received(1);
    let hasDrained = false;
    const drained = workers.drain().then(() => {
      hasDrained = true;
    });
    assert.match(await caller.ask("any"), /^(DRAINING|NO_RESPONDERS)$/);
    assert.equal(hasDrained, false);
    assert.equal(worker.reply(worker.jobs[0]!.job), true);
    assert.equal(await caller.outcome(asked), "answered done");
    await drained;
    assert.equal(worker.jobs.length, 1);
  });

  scene("E-28: drain may be called twice, and ends with close", async ({ caller, callers, workers }) => {
    const worker = await HoldingWorker.start(workers, "any");
    const asked = caller.request("any");
    await worker.received(1);
    const drains = [callers.drain(), callers.drain()];
    await callers.close();
    await Promise.all(drains);
    await callers.drain();
    assert.equal(await caller.outcome(asked), "CLOSED");
  });
}

function closing(scene: Declare): void {
  scene(
    "E-29, E-30, E-31: close ends what is under way, and everything says so afterwards",
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
      assert.equal(callers.route("another").subject, "another", "routes are made in every state (E-5)");
      callers.cancel(asked.handle);
      await callers.drain();
      assert.deepEqual(caller.outcomes[asked.tag], ["CLOSED"]);
    },
  );

  scene(
    "E-29: what is under way fails for the reason given, and may have been executed",
    async ({ caller, callers, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const asked = caller.request("any");
      await worker.received(1);
      await callers.close(failure("DRAINING"));
      assert.equal(await caller.outcome(asked), "DRAINING");
      assert.equal(caller.isRetryable(asked), false);
      await worker.until(() => worker.canceled.length > 0);
      assert.equal(worker.canceled.length, 1);
    },
  );

  scene(
    "E-29, E-30: when workers' engine closes, what they hold fails with a reason that says it may have been executed",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const subscription = workers.subscribe("news", new RecordingSubscriber());
      await subscription.ready;
      const asked = caller.request("any");
      await worker.received(1);
      await workers.close();
      assert.match(await caller.outcome(asked), /^(WORKER_LOST|CLOSED)$/);
      assert.equal(caller.isRetryable(asked), false);
      await worker.until(() => worker.canceled.length > 0);
      assert.equal(worker.canceled.length, 1, "it is told once");
      assert.equal(worker.reply(worker.jobs[0]!.job), false);
      assert.equal(worker.fail(worker.jobs[0]!.job), false);
      await worker.registration.leave();
      worker.registration.lose();
      subscription.close();
    },
  );
}
