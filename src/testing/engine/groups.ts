import assert from "node:assert/strict";
import { HoldingWorker, textMessage } from "./actors.ts";
import { needs, type Declare } from "./scene.ts";

/** E-7, E-13, E-14, E-20 */
export function groups(scene: Declare): void {
  queueing(scene);
  places(scene);
}

function queueing(scene: Declare): void {
  scene(
    "E-13: a worker holds as many as it has said; the rest waits in order",
    async ({ caller, workers }) => {
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
    },
  );

  scene("E-14: workers of one queue share its requests", async ({ caller, workers }) => {
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

  scene("E-7: of several queues one gets the request", async ({ caller, workers }) => {
    const both = [
      await HoldingWorker.echo(workers, "any", "one ", { queue: "one" }),
      await HoldingWorker.echo(workers, "any", "two ", { queue: "two" }),
    ];
    for (let round = 0; round < 4; round++)
      assert.match(await caller.ask("any", "x"), /^answered (one|two) x$/);
    assert.equal(both[0]!.jobs.length + both[1]!.jobs.length, 4);
  });
}

function places(scene: Declare): void {
  const withCapacity = needs("capacity");

  scene(
    "E-20: a worker without places is given nothing; what waits comes before `resize` returns",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      worker.registration.capacity!.resize(0);
      const asked = ["a", "b"].map((text) => caller.request("any", text));
      await caller.ask("nobody");
      assert.deepEqual(worker.texts, []);
      worker.registration.capacity!.resize(1);
      assert.deepEqual(worker.texts, ["a"]);
      worker.onExecute = (job) => void worker.reply(job);
      worker.reply(worker.jobs[0]!.job);
      for (const one of asked) assert.equal(await caller.outcome(one), "answered done");
    },
    withCapacity,
  );

  scene(
    "E-20: a job that is detached takes no place, and is held until it ends",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const asked = ["a", "b"].map((text) => caller.request("any", text));
      await worker.received(1);
      worker.registration.capacity!.detach(worker.jobs[0]!.job);
      worker.registration.capacity!.resize(0);
      worker.registration.capacity!.resize(1);
      assert.deepEqual(worker.texts, ["a", "b"]);
      for (const { job } of worker.jobs) worker.reply(job);
      for (const one of asked) assert.equal(await caller.outcome(one), "answered done");
    },
    withCapacity,
  );

  scene(
    "E-20: a job that is given back is handed out before all that waits",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const asked = ["a", "b"].map((text) => caller.request("any", text));
      await worker.received(1);
      const { capacity } = worker.registration;
      worker.onExecute = (job) => void worker.reply(job);
      assert.equal(capacity!.release(worker.jobs[0]!.job, textMessage("a again"), true), true);
      for (const one of asked) assert.equal(await caller.outcome(one), "answered done");
      assert.deepEqual(
        worker.jobs.map(({ text, attempt }) => [text, attempt]),
        [
          ["a", 1],
          ["a again", 2],
          ["b", 1],
        ],
      );
      assert.equal(capacity!.release(worker.jobs[0]!.job, textMessage("late"), true), false, "it has ended");
    },
    withCapacity,
  );

  scene(
    "E-20: a job that nobody has seen counts as no attempt when it is given back",
    async ({ caller, workers }) => {
      const worker = await HoldingWorker.start(workers, "any", { concurrency: 1 });
      const asked = caller.request("any", "a");
      await worker.received(1);
      worker.onExecute = (job) => void worker.reply(job);
      worker.registration.capacity!.release(worker.jobs[0]!.job, textMessage("a"), false);
      assert.equal(await caller.outcome(asked), "answered done");
      assert.equal(worker.jobs[1]!.attempt, 1);
    },
    withCapacity,
  );
}
