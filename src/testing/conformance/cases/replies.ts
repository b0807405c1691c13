import assert from "node:assert/strict";
import { encodeBody } from "../../../message/message.ts";
import type { Case } from "../case.ts";
import { comparable } from "../value-samples.ts";
import { nextTurn, underWay } from "../waiting.ts";

const MANY = 200;

export const REPLIES: readonly Case[] = [
  {
    name: "hands subject, headers, deadline and payload to the handler",
    needs: [],
    async run({ caller, worker, codec, subject, write, read }) {
      const seen: Record<string, unknown> = {};
      let left = 0;
      await worker.serve(`${subject("seen")}.*`, (value, context) => {
        left = context.deadline - Date.now();
        Object.assign(seen, {
          n: read(value).n,
          subject: context.subject,
          traceparent: context.headers.get("TraceParent"),
          repeated: context.headers.getAll("x-many"),
          body: comparable(context.body),
          http: context.http,
        });
        return value;
      });
      const headers = { TraceParent: "00-\u00fc-1", "x-many": ["a", "b"] };
      await caller.request(`${subject("seen")}.it`, write(3), { headers, timeoutMs: 5_000 });
      assert.deepEqual(seen, {
        n: 3,
        subject: `${subject("seen")}.it`,
        traceparent: "00-\u00fc-1",
        repeated: ["a", "b"],
        body: comparable(encodeBody(codec, write(3))),
        http: undefined,
      });
      assert.ok(left > 2_000 && left <= 5_000, `${left} ms were left of 5,000`);
    },
  },
  {
    name: "hands status, headers and payload of the answer to a caller who asks for them",
    needs: [],
    async run({ caller, worker, codec, subject, write, read }) {
      await worker.serve(subject("full"), (value, context) => {
        context.reply.status = 201;
        context.reply.headers["x-shelf"] = ["7", "8"];
        return value;
      });
      const reply = await caller.request(subject("full"), write(5), { full: true });
      assert.equal(read(reply.value).n, 5);
      assert.equal(reply.headers.get(":status"), "201");
      assert.deepEqual(reply.headers.getAll("x-shelf"), ["7", "8"]);
      assert.deepEqual(comparable(reply.body), comparable(encodeBody(codec, write(5))));
    },
  },
  {
    name: "carries 16,000 bytes of headers both ways",
    needs: [],
    async run({ caller, worker, subject }) {
      const wide = "h".repeat(16_000);
      await worker.serve(subject("wide"), (_value, context) => {
        context.reply.headers["x-wide"] = context.headers.get("x-wide") ?? "";
        return undefined;
      });
      const reply = await caller.request(subject("wide"), undefined, {
        headers: { "x-wide": wide },
        full: true,
      });
      assert.equal(reply.headers.get("x-wide"), wide);
    },
  },
  {
    name: `answers ${MANY} requests in flight at once, each with its own answer`,
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const waiting: (() => void)[] = [];
      await worker.serve(
        subject("many"),
        async (value) => {
          if (waiting.length < MANY - 1) await new Promise<void>((resolve) => waiting.push(resolve));
          else for (const resolve of waiting.toReversed()) resolve();
          return value;
        },
        { concurrency: MANY },
      );
      const numbers = Array.from({ length: MANY }, (_, n) => n);
      const answers = await Promise.all(
        numbers.map((n) => underWay(caller.request(subject("many"), write(n)))),
      );
      assert.deepEqual(
        answers.map((answer) => read(answer).n),
        numbers,
      );
    },
  },
  {
    name: "never holds more requests than the service's concurrency, and executes the rest in order",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      let running = 0;
      let most = 0;
      const order: number[] = [];
      const handler = async (value: unknown): Promise<unknown> => {
        most = Math.max(most, ++running);
        order.push(read(value).n);
        await nextTurn();
        running--;
        return value;
      };
      await worker.serve(subject("narrow"), handler, { concurrency: 3 });
      const numbers = Array.from({ length: 50 }, (_, n) => n);
      await Promise.all(numbers.map((n) => underWay(caller.request(subject("narrow"), write(n)))));
      assert.equal(most, 3);
      assert.deepEqual(order, numbers);
    },
  },
  {
    name: "shares the requests of a queue group, and gives each group its own",
    needs: [],
    async run({ caller, worker, join, subject, write }) {
      const another = await join();
      const held = new Map<string, number>();
      const handlerOf = (name: string) => async (value: unknown) => {
        held.set(name, (held.get(name) ?? 0) + 1);
        await nextTurn();
        return value;
      };
      await worker.serve(subject("shared"), handlerOf("one"), { queue: "q", concurrency: 10 });
      await another.serve(subject("shared"), handlerOf("two"), { queue: "q", concurrency: 10 });
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => underWay(caller.request(subject("shared"), write(n)))),
      );
      assert.equal((held.get("one") ?? 0) + (held.get("two") ?? 0), 20);
      assert.ok(
        [...held.values()].every((count) => count >= 5),
        `shared ${[...held.values()].join(" to ")}`,
      );
    },
  },
];
