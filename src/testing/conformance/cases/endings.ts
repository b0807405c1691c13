import assert from "node:assert/strict";
import type { Case } from "../case.ts";
import { WORKER_DIALS } from "../needs.ts";
import { failureOf, later, nextTurn, outcomeOf, stuck, underWay } from "../waiting.ts";

export const ENDINGS: readonly Case[] = [
  {
    name: "finishes what a closing service holds, and hands new requests to others",
    needs: [],
    async run({ caller, worker, join, subject, write, read }) {
      const begun = later<void>();
      const release = later<void>();
      const service = await worker.serve(subject("shift"), async (value) => {
        begun.resolve();
        await release.promise;
        return value;
      });
      const held = underWay(caller.request(subject("shift"), write(1)));
      await begun.promise;
      await (await join()).serve(subject("shift"), () => write(99));
      const closed = service.close();
      const ask = (): Promise<unknown> =>
        caller.request(subject("shift"), write(2), { timeoutMs: 200 }).then(
          (answer) => read(answer).n,
          () => "the closing one has it",
        );
      while ((await ask()) !== 99);
      release.resolve();
      assert.equal(read(await held).n, 1);
      await closed;
    },
  },
  {
    name: "fails at once as nobody's when the last service has closed",
    needs: [],
    async run({ caller, worker, subject, write }) {
      const service = await worker.serve(subject("gone"), (value) => value);
      await caller.request(subject("gone"), write(1));
      await service.close();
      assert.equal((await failureOf(caller.request(subject("gone"), write(2)))).reason, "NO_RESPONDERS");
    },
  },
  {
    name: "fails what is under way when the caller closes, and everything after",
    needs: [],
    alone: true,
    async run({ caller, worker, subject, write }) {
      const { handler, started } = stuck();
      await worker.serve(subject("slow"), handler);
      const call = failureOf(caller.request(subject("slow"), write(1)));
      await started;
      await caller.close();
      assert.equal((await call).reason, "CLOSED");
      assert.equal((await failureOf(caller.request(subject("slow")))).code, "failed_precondition");
      assert.throws(() => caller.publish(subject("x")), { reason: "CLOSED" });
      await assert.rejects(() => caller.serve(subject("x"), () => 1), { reason: "CLOSED" });
      await assert.rejects(() => caller.subscribe(subject("x"), () => 1), { reason: "CLOSED" });
      await caller.close();
    },
  },
  {
    name: "answers everything the caller has asked before its drain ends",
    needs: [],
    alone: true,
    async run({ caller, worker, subject, write }) {
      await worker.serve(subject("work"), async (value) => {
        await nextTurn();
        return value;
      });
      const calls = Array.from({ length: 40 }, (_, n) => underWay(caller.request(subject("work"), write(n))));
      await caller.drain();
      assert.equal((await Promise.all(calls)).length, 40);
      const after = await failureOf(caller.request(subject("work"), write(1)));
      assert.equal(after.code, "failed_precondition");
    },
  },
  {
    name: "fails nothing when a worker drains under load and another takes over",
    needs: [WORKER_DIALS],
    alone: true,
    async run({ caller, worker, join, subject, write, read }) {
      const another = await join();
      const serve = async (value: unknown): Promise<unknown> => {
        await nextTurn();
        return value;
      };
      await worker.serve(subject("shift"), serve, { concurrency: 4 });
      await another.serve(subject("shift"), serve, { concurrency: 4 });
      const ask = async (n: number): Promise<unknown> => {
        const answer = await outcomeOf(caller.request(subject("shift"), write(n)));
        return typeof answer === "string" && /^[A-Z_]+$/.test(answer) ? answer : read(answer).n;
      };
      const before = Array.from({ length: 60 }, (_, n) => ask(n));
      await before[0];
      const drained = worker.drain();
      const after = Array.from({ length: 40 }, (_, n) => ask(60 + n));
      const outcomes = await Promise.all([...before, ...after]);
      await drained;
      assert.deepEqual(outcomes, [...outcomes.keys()]);
    },
  },
];
