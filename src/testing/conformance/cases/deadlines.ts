import assert from "node:assert/strict";
import type { Peer } from "../../../peer/peer.ts";
import type { Case } from "../case.ts";
import { failureOf, firedWith, later, stuck, underWay } from "../waiting.ts";

/** What a busy machine may add. Milliseconds. */
const SLACK_MS = 3_000;

/** What follows a CANCEL on the same way says when it has arrived: nobody serves this subject. */
async function passed(caller: Peer, nobody: string): Promise<void> {
  assert.equal((await failureOf(caller.request(nobody))).reason, "NO_RESPONDERS");
}

export const DEADLINES: readonly Case[] = [
  {
    name: "fails at the deadline and fires the handler's signal",
    needs: [],
    async run({ caller, worker, subject, write }) {
      const { handler, started } = stuck();
      await worker.serve(subject("slow"), handler);
      const begun = performance.now();
      const call = failureOf(caller.request(subject("slow"), write(1), { timeoutMs: 60 }));
      const { signal } = await started;
      const why = await firedWith(signal);
      const error = await call;
      const took = performance.now() - begun;
      assert.equal(error.code, "deadline_exceeded");
      assert.equal(error.reason, "DEADLINE");
      assert.equal(why.reason, "DEADLINE");
      assert.ok(took >= 55 && took < 60 + SLACK_MS, `it took ${took} ms`);
    },
  },
  {
    name: "fires the handler's signal when the caller gives up",
    needs: [],
    async run({ caller, worker, subject, write }) {
      const { handler, started } = stuck();
      await worker.serve(subject("slow"), handler);
      const abort = new AbortController();
      const call = failureOf(caller.request(subject("slow"), write(1), { signal: abort.signal }));
      const { signal } = await started;
      abort.abort(new Error("enough"));
      const error = await call;
      assert.equal(error.code, "canceled");
      assert.equal(error.reason, "CALLER_GONE");
      assert.equal((error.cause as Error).message, "enough");
      assert.equal((await firedWith(signal)).reason, "CALLER_GONE");
    },
  },
  {
    name: "does not send a request that was aborted before",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const executed: number[] = [];
      await worker.serve(subject("once"), (value) => {
        executed.push(read(value).n);
        return value;
      });
      const signal = AbortSignal.abort();
      assert.equal(
        (await failureOf(caller.request(subject("once"), write(1), { signal }))).reason,
        "CALLER_GONE",
      );
      await caller.request(subject("once"), write(2));
      assert.deepEqual(executed, [2]);
    },
  },
  {
    name: "does not execute a request whose deadline passed while it was queued",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const executed: number[] = [];
      const begun = later<void>();
      const release = later<void>();
      const handler = async (value: unknown): Promise<unknown> => {
        executed.push(read(value).n);
        begun.resolve();
        await release.promise;
        return value;
      };
      await worker.serve(subject("one"), handler, { concurrency: 1 });
      const first = underWay(caller.request(subject("one"), write(1)));
      await begun.promise;
      const late = failureOf(caller.request(subject("one"), write(2), { timeoutMs: 30 }));
      assert.equal((await late).reason, "DEADLINE");
      await passed(caller, subject("marker"));
      const third = underWay(caller.request(subject("one"), write(3)));
      release.resolve();
      assert.equal(read(await first).n, 1);
      assert.equal(read(await third).n, 3);
      assert.deepEqual(executed, [1, 3]);
    },
  },
  {
    name: "does not execute a request that was canceled while it was queued",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const executed: number[] = [];
      const begun = later<void>();
      const release = later<void>();
      const handler = async (value: unknown): Promise<unknown> => {
        executed.push(read(value).n);
        begun.resolve();
        await release.promise;
        return value;
      };
      await worker.serve(subject("one"), handler, { concurrency: 1 });
      const first = underWay(caller.request(subject("one"), write(1)));
      await begun.promise;
      const abort = new AbortController();
      const second = failureOf(caller.request(subject("one"), write(2), { signal: abort.signal }));
      const third = underWay(caller.request(subject("one"), write(3)));
      abort.abort();
      assert.equal((await second).reason, "CALLER_GONE");
      await passed(caller, subject("marker"));
      release.resolve();
      await Promise.all([first, third]);
      assert.deepEqual(executed, [1, 3]);
    },
  },
];
