import assert from "node:assert/strict";
import type { Overflow } from "../../../message/overflow.ts";
import type { Subscription } from "../../../peer/peer.ts";
import type { Case, Harness } from "../case.ts";
import type { HubEnd } from "../fixture.ts";
import { WORKER_DIALS } from "../needs.ts";
import { nextTurn, untilAnswered } from "../waiting.ts";

const BUFFER = 262_144;
/** Of each publication, at the least, in any codec. */
const SIZE = 2_000;
/** So many are more than a hub holds for a session: its buffer, a backlog of the same size, and a run on its way. */
const COUNT = 450;
/** So many are more than a hub holds without a backlog. */
const MORE_THAN_BUFFER = 200;
/** Publications that nobody has heard yet: hubs in between must keep up. */
const AHEAD = 16;

interface SlowConsumer {
  readonly subscription: Subscription;
  readonly heard: number[];
  readonly end: HubEnd;
  /** Publishes up to this number, and resolves when the worker's hub has seen all. */
  readonly publishUpTo: (count: number) => Promise<void>;
}

/** A subscriber at the worker that is sent nothing from now on, and a witness beside it that is. */
async function slowConsumer(harness: Harness, overflow: Overflow | undefined): Promise<SlowConsumer> {
  const { caller, worker, workerEnd: end, join, subject, write, read } = harness;
  assert.ok(end !== undefined);
  const heard: number[] = [];
  const subscription = await worker.subscribe(
    subject("ticks"),
    (value) => heard.push(read(value).n),
    overflow === undefined ? {} : { overflow },
  );
  let seen = 0;
  await (await join()).subscribe(subject("ticks"), (value) => (seen = read(value).n + 1));
  end.throttle.shut();
  let next = 0;
  const text = "x".repeat(SIZE);
  const publishUpTo = async (count: number): Promise<void> => {
    while (next < count) {
      await caller.publish(subject("ticks"), write(next++, text));
      while (seen < next - AHEAD) await nextTurn();
    }
    while (seen < next) await nextTurn();
  };
  return { subscription, heard, end, publishUpTo };
}

/** Catches up, and returns the first that was missed and the first that was heard after it. */
async function gapAfter({ heard, end, publishUpTo }: SlowConsumer): Promise<[from: number, to: number]> {
  end.throttle.open();
  for (let count = COUNT; (heard.at(-1) ?? 0) < COUNT; count++) await publishUpTo(count);
  const from = heard.findIndex((n, index) => n !== index);
  assert.ok(from > 0, "something was missed, but not the first");
  const to = heard[from]!;
  const expected = [
    ...Array.from({ length: from }, (_, index) => index),
    ...Array.from({ length: heard.at(-1)! - to + 1 }, (_, index) => to + index),
  ];
  assert.deepEqual(heard, expected, "in order, with one gap");
  return [from, to];
}

const ON_ITS_OWN = { needs: [WORKER_DIALS], alone: true, limits: { sessionBuffer: BUFFER } } as const;

export const SLOW_CONSUMERS: readonly Case[] = [
  {
    name: "drops the newest for a subscriber that does not keep up, unless told otherwise, and says how many",
    ...ON_ITS_OWN,
    async run(harness) {
      const slow = await slowConsumer(harness, undefined);
      await slow.publishUpTo(COUNT);
      const [from, to] = await gapAfter(slow);
      assert.ok(to >= COUNT, `${to} was kept, though it came when the buffer was full`);
      assert.ok(from * SIZE > BUFFER / 2, `only ${from} were kept`);
      assert.equal(slow.subscription.dropped, to - from);
      const { droppedNewest, droppedOldest, slowDisconnects } = slow.end.counted();
      assert.deepEqual([droppedNewest, droppedOldest, slowDisconnects], [to - from, 0, 0]);
    },
  },
  {
    name: "keeps the newest for a subscriber that asks for it, and says how many older ones it has missed",
    ...ON_ITS_OWN,
    async run(harness) {
      const slow = await slowConsumer(harness, "drop-oldest");
      await slow.publishUpTo(COUNT);
      const [from, to] = await gapAfter(slow);
      const kept = COUNT - to;
      assert.ok(kept > 0 && kept * SIZE <= BUFFER, `${kept} were kept`);
      assert.equal(slow.subscription.dropped, to - from);
      const { droppedNewest, droppedOldest, slowDisconnects } = slow.end.counted();
      assert.deepEqual([droppedNewest, droppedOldest, slowDisconnects], [0, to - from, 0]);
    },
  },
  {
    name: "ends a subscription that must not miss anything, and has everything else of its session again",
    ...ON_ITS_OWN,
    async run(harness) {
      const { caller, worker, errors, subject, write, read } = harness;
      await worker.serve(subject("echo"), (value) => value);
      const other: number[] = [];
      await worker.subscribe(subject("other"), (value) => other.push(read(value).n));
      const slow = await slowConsumer(harness, "disconnect");
      await slow.publishUpTo(MORE_THAN_BUFFER);
      slow.end.throttle.open();
      await assert.rejects(slow.subscription.closed, { code: "resource_exhausted", reason: "SLOW_CONSUMER" });
      const { heard, subscription } = slow;
      assert.ok(heard.length > 0 && heard.length < MORE_THAN_BUFFER);
      assert.deepEqual(
        heard,
        Array.from(heard, (_, index) => index),
        "nothing is missing before the end",
      );
      assert.equal(subscription.dropped, 0);
      assert.deepEqual(
        errors.map((error) => (error as { reason?: string }).reason),
        ["SLOW_CONSUMER"],
      );
      const echo = (): Promise<unknown> => untilAnswered(() => caller.request(subject("echo"), write(1)));
      for (let n = 1; other.length === 0; n++) {
        await echo();
        await caller.publish(subject("other"), write(n));
        await caller.publish(subject("ticks"), write(n));
      }
      await echo();
      const { droppedNewest, droppedOldest, slowDisconnects } = slow.end.counted();
      assert.deepEqual([droppedNewest, droppedOldest, slowDisconnects], [0, 0, 1]);
      assert.equal(heard.length, new Set(heard).size, "and nothing comes after it");
    },
  },
];
