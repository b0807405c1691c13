import assert from "node:assert/strict";
import { ENABLED_VERBS } from "../../../message/delivery.ts";
import type { Case } from "../case.ts";
import { WORKER_DIALS } from "../needs.ts";
import { failureOf, outcomeOf, untilAnswered } from "../waiting.ts";

/** At hubs that check no credentials: there it is confirmed, and everybody may do everything as before. */
export const ENABLING: readonly Case[] = [
  {
    name: "confirms what a service enables for clients, and its end",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      await worker.serve(subject("open"), (value) => value);
      for (const verb of ENABLED_VERBS) {
        const enabled = await worker.enable(verb, `${subject("open")}.>`);
        assert.deepEqual([enabled.verb, enabled.pattern], [verb, `${subject("open")}.>`]);
        await enabled.close();
        await enabled.closed;
        await enabled.close();
      }
      assert.equal(read(await caller.request(subject("open"), write(1))).n, 1);
      assert.equal((await failureOf(worker.enable("request", "a..b"))).reason, "BAD_SUBJECT");
    },
  },
  {
    name: "keeps what is enabled when the worker's connection was lost",
    needs: [WORKER_DIALS],
    alone: true,
    async run({ caller, worker, workerLink, subject, write, read }) {
      await worker.serve(subject("open"), (value) => value);
      const enabled = await worker.enable("request", subject("open"));
      let isOver = false;
      void outcomeOf(enabled.closed).then(() => (isOver = true));
      await workerLink?.cut();
      const ask = (): Promise<unknown> => caller.request(subject("open"), write(1), { timeoutMs: 2_000 });
      assert.equal(read(await untilAnswered(ask)).n, 1);
      assert.equal(isOver, false);
      await enabled.close();
      await enabled.closed;
    },
  },
];
