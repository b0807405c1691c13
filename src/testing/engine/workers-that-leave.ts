import assert from "node:assert/strict";
import { HoldingWorker } from "./actors.ts";
import { needs, type Declare } from "./scene.ts";

/** E-16 to E-21 */
export function workersThatLeave(scene: Declare): void {
  leaving(scene);
  losing(scene);
  attempts(scene);
}

function leaving(scene: Declare): void {
  scene(
    "E-17: a worker that leaves gets nothing new, and answers what it holds",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const asked = caller.request("any");
      await worker.received(1);
      await worker.registration.leave();
      assert.equal(await caller.ask("any"), "NO_RESPONDERS");
      assert.equal(worker.reply(worker.jobs[0]!.job), true);
      assert.equal(await caller.outcome(asked), "answered done");
      assert.equal(worker.jobs.length, 1);
    },
  );

  scene(
    "E-17: requests that wait when the last worker leaves fail as not executed",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const held = caller.request("any", "held");
      await worker.received(1);
      const waiting = caller.request("any", "waiting");
      await worker.registration.leave();
      assert.equal(await caller.outcome(waiting), "NO_RESPONDERS");
      assert.equal(caller.isRetryable(waiting), true);
      worker.reply(worker.jobs[0]!.job);
      assert.equal(await caller.outcome(held), "answered done");
      assert.deepEqual(worker.texts, ["held"]);
    },
  );

  scene("E-17: requests that wait when a worker leaves go to the others", async ({ caller, workers }) => {
    const leaves = await HoldingWorker.start(workers, "any", { concurrency: 1 });
    const held = caller.request("any", "held");
    await leaves.received(1);
    const waiting = caller.request("any", "waiting");
    await caller.ask("nobody"); // it has arrived
    await HoldingWorker.echo(workers, "any");
    await leaves.registration.leave();
    assert.equal(await caller.outcome(waiting), "answered waiting");
    leaves.reply(leaves.jobs[0]!.job);
    assert.equal(await caller.outcome(held), "answered done");
  });

  scene("E-21: what its owner ends is no end of a registration", async ({ caller, workers }) => {
    let ends = 0;
    const onEnded = (): void => void ends++;
    const [leaves, loses] = [
      await HoldingWorker.start(workers, "leaves", { onEnded }),
      await HoldingWorker.start(workers, "loses", { onEnded }),
    ];
    await leaves.registration.leave();
    await leaves.registration.leave();
    loses.registration.lose();
    loses.registration.lose();
    assert.equal(await caller.ask("leaves"), "NO_RESPONDERS");
    assert.equal(await caller.ask("loses"), "NO_RESPONDERS");
    await HoldingWorker.start(workers, "closes", { onEnded });
    await workers.close();
    assert.equal(ends, 0);
  });
}

function losing(scene: Declare): void {
  scene(
    "E-18, E-16: a worker that is lost fails what it holds; it may have been executed",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      const asked = [caller.request("any"), caller.request("any")];
      await worker.received(2);
      worker.registration.lose();
      for (const one of asked) {
        assert.equal(await caller.outcome(one), "WORKER_LOST");
        assert.equal(caller.isRetryable(one), false);
      }
      assert.equal(worker.reply(worker.jobs[0]!.job), false);
      assert.deepEqual(worker.canceled, [], "it has given them up itself");
    },
  );

  scene("E-18: what waits when a worker is lost goes to the others", async ({ caller, workers }) => {
    const lost = await HoldingWorker.start(workers, "any", { concurrency: 1 });
    const held = caller.request("any", "held");
    await lost.received(1);
    const waiting = caller.request("any", "waiting");
    await caller.ask("nobody");
    await HoldingWorker.echo(workers, "any");
    lost.registration.lose();
    assert.equal(await caller.outcome(held), "WORKER_LOST");
    assert.equal(await caller.outcome(waiting), "answered waiting");
  });
}

function attempts(scene: Declare): void {
  scene(
    "E-19: what a lost worker held goes to another, as often as was said",
    async ({ caller, workers }) => {
      const lost = await HoldingWorker.start(workers, "any", { attempts: 2 });
      const asked = caller.request("any", "again");
      await lost.received(1);
      const next = await HoldingWorker.start(workers, "any");
      lost.registration.lose();
      await next.received(1);
      assert.deepEqual([next.jobs[0]!.text, next.jobs[0]!.attempt], ["again", 2]);
      assert.equal(lost.reply(lost.jobs[0]!.job), false, "it is no longer its own");
      const last = await HoldingWorker.start(workers, "any");
      next.registration.lose();
      assert.equal(await caller.outcome(asked), "WORKER_LOST");
      assert.equal(last.jobs.length, 0, "twice is what was said");
    },
    needs("attempts"),
  );

  scene(
    "E-19: without another worker the request fails",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { attempts: 5 });
      const asked = caller.request("any");
      await worker.received(1);
      worker.registration.lose();
      assert.equal(await caller.outcome(asked), "WORKER_LOST");
    },
    needs("attempts"),
  );
}
