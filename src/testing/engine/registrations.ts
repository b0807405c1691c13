import assert from "node:assert/strict";
import { OVERFLOWS, type Overflow } from "../../message/overflow.ts";
import { HoldingWorker, RecordingSubscriber, textMessage } from "./actors.ts";
import { isReason, lacks, type Declare } from "./scene.ts";

/** What holds while something is registered, and which options are refused. E-11 to E-13, E-19, E-20, E-22, E-24 */
export function registrations(scene: Declare): void {
  insideTheCall(scene);
  refusals(scene);

  scene(
    "E-13: numbers of places that are none of their kind are read as the nearest that is",
    async ({ caller, workers }) => {
      const given: [concurrency: number, places: number][] = [
        [0, 1],
        [-3, 1],
        [0.5, 1],
        [2.9, 2],
        [NaN, 1],
      ];
      for (const [index, [concurrency, places]] of given.entries()) {
        const worker = await HoldingWorker.start(workers, `many.n${index}`, { concurrency });
        const asked = [1, 2, 3].map(() => caller.request(`many.n${index}`));
        await worker.received(places);
        await caller.ask("nobody"); // what else there is to come has come
        assert.equal(worker.jobs.length, places, `concurrency ${concurrency}`);
        worker.onExecute = (job) => void worker.reply(job);
        for (const { job } of [...worker.jobs]) worker.reply(job);
        for (const one of asked) assert.equal(await caller.outcome(one), "answered done");
      }
    },
  );

  scene("E-13: Infinity is no bound", async ({ caller, workers }) => {
    const worker = await HoldingWorker.start(workers, "any", { concurrency: Infinity });
    const asked = Array.from({ length: 600 }, () => caller.request("any"));
    await worker.received(600);
    for (const { job } of worker.jobs) worker.reply(job);
    for (const one of asked) assert.equal(await caller.outcome(one), "answered done");
  });

  scene(
    "E-12: a registration that ends before it is ready ends nothing else",
    async ({ caller, workers }) => {
      const worker = new HoldingWorker();
      worker.registration = workers.serve("any", worker);
      await worker.registration.leave(); // its `ready` may resolve or reject, and nobody listens
      worker.registration.lose();
      workers.subscribe("news", new RecordingSubscriber()).close();
      assert.equal(await caller.ask("any"), "NO_RESPONDERS");
    },
  );
}

function insideTheCall(scene: Declare): void {
  scene("E-11: no job is handed out before `serve` has returned", async ({ caller, workers }) => {
    const first = await HoldingWorker.start(workers, "any", { concurrency: 1 });
    const held = caller.request("any", "held");
    await first.received(1);
    const waiting = ["one", "two"].map((text) => caller.request("any", text));
    await caller.ask("nobody"); // all have arrived
    const second = new HoldingWorker();
    let hasReturned = false;
    let early = 0;
    second.onExecute = (job) => {
      if (!hasReturned) early++;
      else second.reply(job, "by the second");
    };
    second.registration = workers.serve("any", second, { concurrency: 1 });
    hasReturned = true;
    for (const one of waiting) assert.equal(await caller.outcome(one), "answered by the second");
    assert.equal(early, 0);
    first.reply(first.jobs[0]!.job);
    assert.equal(await caller.outcome(held), "answered done");
  });

  scene("E-11: a job that waits may be refused in the first `execute`", async ({ caller, workers }) => {
    const first = await HoldingWorker.start(workers, "any", { concurrency: 1 });
    const held = caller.request("any", "held");
    await first.received(1);
    const waiting = caller.request("any", "waiting");
    await caller.ask("nobody");
    const second = new HoldingWorker();
    second.onExecute = (job) => void second.fail(job);
    second.registration = workers.serve("any", second);
    assert.equal(await caller.outcome(waiting), "SOURCE_FAILED");
    first.reply(first.jobs[0]!.job);
    assert.equal(await caller.outcome(held), "answered done");
  });

  scene("E-22: nothing is delivered before `subscribe` has returned", async ({ callers, workers }) => {
    const route = callers.route("news");
    const [first, second] = [new RecordingSubscriber(), new RecordingSubscriber()];
    await workers.subscribe("news", first).ready;
    await callers.publish(route, textMessage("1"));
    let hasReturned = false;
    second.onDeliver = () => assert.ok(hasReturned);
    const subscription = workers.subscribe("news", second);
    assert.deepEqual(second.heard, []);
    hasReturned = true;
    await subscription.ready;
    await callers.publish(route, textMessage("2"));
    await second.until(() => second.heard.includes("news 2"));
    assert.equal(second.heard.at(-1), "news 2");
  });
}

function refusals(scene: Declare): void {
  const unsupported = isReason("OPTION_UNSUPPORTED");

  scene("a queue that is no name is refused", async ({ workers }) => {
    for (const queue of ["a b", "a..b", "a.*", ">", "x".repeat(256)])
      assert.throws(
        () => workers.serve("any", new HoldingWorker(), { queue }),
        isReason("BAD_SUBJECT"),
        queue,
      );
    await Promise.resolve();
  });

  scene(
    "E-19: attempts are refused where they are not kept",
    async ({ caller, workers }) => {
      assert.throws(() => workers.serve("any", new HoldingWorker(), { attempts: 2 }), unsupported);
      assert.equal(await caller.ask("any"), "NO_RESPONDERS", "nothing was registered");
      await HoldingWorker.echo(workers, "any", "", { attempts: 1 });
      assert.equal(await caller.ask("any", "x"), "answered x", "once is what every engine does");
    },
    lacks("attempts"),
  );

  scene(
    "E-20: there are no places where they are not kept",
    async ({ workers }) => {
      const worker = await HoldingWorker.start(workers, "any");
      assert.equal(worker.registration.capacity, undefined);
    },
    lacks("capacity"),
  );

  scene("E-24: a policy of overflow is kept or refused", async ({ callers, workers }) => {
    const unknown = "drop-some" as Overflow; // what only a later version knows
    for (const overflow of [...OVERFLOWS, unknown]) {
      const subscriber = new RecordingSubscriber();
      if (!workers.supports.overflow.includes(overflow)) {
        assert.throws(() => workers.subscribe("news", subscriber, { overflow }), unsupported, overflow);
        continue;
      }
      const subscription = workers.subscribe("news", subscriber, { overflow });
      await subscription.ready;
      await callers.publish(callers.route("news"), textMessage(overflow));
      await subscriber.until(() => subscriber.heard.length > 0);
      assert.deepEqual(subscriber.heard, [`news ${overflow}`]);
      subscription.close();
    }
  });
}
