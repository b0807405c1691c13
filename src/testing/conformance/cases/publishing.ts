import assert from "node:assert/strict";
import { inspect } from "node:util";
import { encodeBody } from "../../../message/message.ts";
import type { Publication } from "../../../peer/peer.ts";
import type { Case } from "../case.ts";
import { comparable } from "../value-samples.ts";
import { later } from "../waiting.ts";

const COUNT = 300;

export const PUBLISHING: readonly Case[] = [
  {
    name: "delivers publications in order, once for each subscription that matches",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const exact: number[] = [];
      const wide: string[] = [];
      const expected: string[] = [];
      const done = later<void>();
      const base = subject("feed");
      await worker.subscribe(`${base}.b`, (value) => exact.push(read(value).n));
      await worker.subscribe(`${base}.>`, (value, publication) => {
        wide.push(`${publication.subject}=${read(value).n}`);
        if (wide.length === COUNT) done.resolve();
      });
      await worker.subscribe(subject("other"), () => assert.fail("not for this one"));
      for (let n = 0; n < COUNT; n++) {
        const to = [`${base}.a`, `${base}.b`, `${base}.c.d`][n % 3]!;
        expected.push(`${to}=${n}`);
        await caller.publish(to, write(n));
      }
      await done.promise;
      assert.deepEqual(wide, expected);
      assert.equal(exact.length, COUNT / 3);
    },
  },
  {
    name: "delivers to every peer that subscribed, and by the wildcards of its pattern",
    needs: [],
    async run({ caller, worker, join, subject, write, read }) {
      const base = subject("wild");
      const heard: string[] = [];
      const last = [later<void>(), later<void>()];
      const listen =
        (name: string, end: number) =>
        (value: unknown): void => {
          heard.push(`${name} ${read(value).n}`);
          if (read(value).n === 9) last[end]?.resolve();
        };
      await worker.subscribe(`${base}.*.end`, listen("star", 0));
      await (await join()).subscribe(`${base}.>`, listen("rest", 1));
      const subjects: readonly (readonly [string, number])[] = [
        [`${base}.a.end`, 1],
        [`${base}.a.b.end`, 2],
        [base, 3],
        [`${base}.end`, 4],
        [`${base}.z.end`, 9],
      ];
      for (const [to, n] of subjects) await caller.publish(to, write(n));
      await Promise.all(last.map(({ promise }) => promise));
      const expected = ["rest 1", "rest 2", "rest 4", "rest 9", "star 1", "star 9"];
      assert.deepEqual(heard.toSorted(), expected);
    },
  },
  {
    name: "iterates a subscription with headers and payload until the loop is left",
    needs: [],
    async run({ caller, worker, codec, subject, write, read }) {
      const subscription = await worker.subscribe(subject("ticks"));
      const seen: Publication[] = [];
      for (const n of [1, 2, 3])
        await caller.publish(subject("ticks"), write(n), { headers: { "x-n": String(n) } });
      for await (const publication of subscription) {
        seen.push(publication);
        if (seen.length === 3) break;
      }
      assert.deepEqual(
        seen.map((one) => [read(one.value).n, one.subject, one.headers.get("x-n")]),
        [1, 2, 3].map((n) => [n, subject("ticks"), String(n)]),
      );
      assert.deepEqual(comparable(seen[0]!.body), comparable(encodeBody(codec, write(1))));
    },
  },
  {
    name: "keeps going when a listener throws",
    needs: [],
    async run({ caller, worker, errors, subject, write, read }) {
      const good = later<number>();
      await worker.subscribe(subject("risky"), (value) => {
        if (read(value).n === 13) throw new Error("listener broke");
        good.resolve(read(value).n);
      });
      await caller.publish(subject("risky"), write(13));
      await caller.publish(subject("risky"), write(14));
      assert.equal(await good.promise, 14);
      assert.match(inspect(errors), /listener broke/);
    },
  },
  {
    name: "delivers nothing to a subscription that was closed, and goes on with the others",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const heard: number[] = [];
      const last = later<void>();
      const closed = await worker.subscribe(subject("on"), (value) => heard.push(read(value).n));
      await worker.subscribe(subject("on"), (value) => {
        if (read(value).n === 2) last.resolve();
      });
      const first = later<void>();
      await worker.subscribe(subject("on"), () => first.resolve());
      await caller.publish(subject("on"), write(1));
      await first.promise;
      await closed.close();
      await caller.publish(subject("on"), write(2));
      await last.promise;
      assert.deepEqual(heard, [1]);
    },
  },
];
