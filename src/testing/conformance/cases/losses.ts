import assert from "node:assert/strict";
import type { LintelError } from "../../../message/failure.ts";
import type { Case, Harness } from "../case.ts";
import { CALLER_DIALS, UPLINK, WORKER_DIALS } from "../needs.ts";
import { failureOf, firedWith, later, stuck, underWay, untilAnswered } from "../waiting.ts";

/** A service and a subscription that must be there again when a connection has been made again. */
async function announce({ worker, subject, read }: Harness): Promise<{ readonly heard: number[] }> {
  const heard: number[] = [];
  await worker.serve(subject("echo"), (value) => value);
  await worker.subscribe(`${subject("news")}.*`, (value) => heard.push(read(value).n));
  return { heard };
}

/** Requests are answered and publications arrive once, as if nothing had happened. */
async function isBack({ caller, subject, write, read }: Harness, heard: number[]): Promise<void> {
  const echo = (n: number): Promise<unknown> =>
    untilAnswered(() => caller.request(subject("echo"), write(n), { timeoutMs: 2_000 }));
  assert.equal(read(await echo(3)).n, 3);
  // A service is announced before the subscriptions behind it: what is published too early may find nobody.
  for (let n = 10; heard.length === 0; n++) {
    await caller.publish(`${subject("news")}.a`, write(n));
    await echo(n);
  }
  const [first = 0] = heard;
  await caller.publish(`${subject("news")}.b`, write(first + 1_000));
  while (heard.at(-1) !== first + 1_000) await echo(4);
  assert.equal(new Set(heard).size, heard.length, `heard twice: ${heard.join(", ")}`);
}

export const LOSSES: readonly Case[] = [
  {
    name: "fails the requests of a worker whose connection is lost, at once and only those",
    needs: [WORKER_DIALS],
    alone: true,
    async run({ caller, worker, workerLink, join, subject, write, read }) {
      const { handler, started } = stuck();
      const elsewhere = later<void>();
      await worker.serve(subject("lost"), handler);
      await (
        await join()
      ).serve(subject("kept"), async (value) => {
        await elsewhere.promise;
        return value;
      });
      const lost = failureOf(caller.request(subject("lost"), write(1)));
      const kept = underWay(caller.request(subject("kept"), write(2)));
      const { signal } = await started;
      void workerLink?.cut();
      const error = await lost;
      assert.equal(error.code, "unavailable");
      assert.equal(error.reason, "WORKER_LOST");
      assert.equal(error.retryable, false);
      assert.equal((await firedWith(signal)).reason, "CONNECTION_LOST");
      elsewhere.resolve();
      assert.equal(read(await kept).n, 2);
    },
  },
  {
    name: "hands what waited for a lost worker to another",
    needs: [WORKER_DIALS],
    alone: true,
    async run({ caller, worker, workerLink, join, subject, write, read }) {
      const { handler, started } = stuck();
      await worker.serve(subject("group"), handler, { concurrency: 1 });
      const held = failureOf(caller.request(subject("group"), write(1)));
      await started;
      const waiting = [2, 3].map((n) => underWay(caller.request(subject("group"), write(n))));
      const release = later<void>();
      const another = await join();
      // It takes one, so that the other still waits when the first worker is lost.
      await another.serve(
        subject("group"),
        async (value) => {
          await release.promise;
          return value;
        },
        { concurrency: 1 },
      );
      void workerLink?.cut();
      assert.equal((await held).reason, "WORKER_LOST");
      release.resolve();
      assert.deepEqual(
        (await Promise.all(waiting)).map((answer) => read(answer).n),
        [2, 3],
      );
    },
  },
  {
    name: "has services and subscriptions again when the worker's connection was lost",
    needs: [WORKER_DIALS],
    alone: true,
    async run(harness) {
      const { heard } = await announce(harness);
      for (let round = 0; round < 2; round++) {
        await harness.workerLink?.cut();
        await isBack(harness, heard);
        heard.length = 0;
      }
    },
  },
  {
    name: "does not announce again what was closed while there was no connection",
    needs: [WORKER_DIALS],
    alone: true,
    async run(harness) {
      const { caller, worker, workerLink, subject, write, read } = harness;
      const { heard } = await announce(harness);
      const over: number[] = [];
      const service = await worker.serve(subject("over"), (value) => value);
      const subscription = await worker.subscribe(`${subject("news")}.>`, (value) =>
        over.push(read(value).n),
      );
      const again = workerLink?.cut();
      await Promise.all([service.close(), subscription.close()]);
      await again;
      await isBack(harness, heard);
      assert.equal((await failureOf(caller.request(subject("over"), write(1)))).reason, "NO_RESPONDERS");
      assert.deepEqual(over, []);
    },
  },
  {
    name: "fails what a caller waits for when its connection is lost, and tells the handler",
    needs: [CALLER_DIALS],
    alone: true,
    async run(harness) {
      const { caller, worker, callerLink, subject, write } = harness;
      const { heard } = await announce(harness);
      const { handler, started } = stuck();
      await worker.serve(subject("slow"), handler);
      const call = failureOf(caller.request(subject("slow"), write(1)));
      const { signal } = await started;
      const again = callerLink?.cut();
      const error = await call;
      assert.equal(error.code, "unavailable");
      assert.equal(error.reason, "CONNECTION_LOST");
      assert.equal((await firedWith(signal)).reason, "CALLER_GONE");
      await again;
      await isBack(harness, heard);
    },
  },
  {
    name: "says that it is not connected while it is not",
    needs: [CALLER_DIALS],
    alone: true,
    async run({ caller, callerLink, subject, write }) {
      const { handler, started } = stuck();
      const serving = callerLink?.cut();
      let error: LintelError;
      do error = await failureOf(caller.request(subject("nobody"), write(1)));
      while (error.reason === "NO_RESPONDERS"); // it has not noticed yet
      assert.ok(["NOT_CONNECTED", "CONNECTION_LOST"].includes(error.reason), error.reason);
      // What is served meanwhile is announced when there is a connection.
      const service = await caller.serve(subject("later"), handler);
      await serving;
      const call = failureOf(caller.request(subject("later"), write(1), { timeoutMs: 5_000 }));
      await started;
      await caller.close();
      await call;
      await service.close();
    },
  },
  {
    name: "recovers when the connection between two hubs was lost",
    needs: [UPLINK],
    alone: true,
    async run(harness) {
      const { caller, worker, hubLink, subject, write } = harness;
      const { heard } = await announce(harness);
      const { handler, started } = stuck();
      await worker.serve(subject("slow"), handler);
      const call = failureOf(caller.request(subject("slow"), write(1)));
      const { signal } = await started;
      const again = hubLink?.cut();
      const { reason } = await call;
      assert.ok(["CONNECTION_LOST", "WORKER_LOST"].includes(reason), reason);
      await firedWith(signal);
      await again;
      await isBack(harness, heard);
    },
  },
];
