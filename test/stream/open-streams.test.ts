/** How long those who drain wait for streams that are open. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenStreams, type OpenStream } from "../../src/stream/open-streams.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

interface Stream extends OpenStream {
  moves: number;
  isAwaited: boolean;
}

/** Resolves with the milliseconds that were waited; `at` is told of the time every 100 ms. */
async function waited(
  streams: OpenStreams,
  graceMs: number,
  at: (now: number) => void = () => undefined,
): Promise<number> {
  const clock = new FakeClock();
  let isOver = false;
  const over = streams.ended(clock, graceMs).then(() => (isOver = true));
  while (!isOver) {
    for (let turn = 0; turn < 10 && !isOver; turn++) await Promise.resolve();
    if (isOver) break;
    assert.ok(clock.now() < 60_000, "it waits for ever");
    clock.advance(100);
    at(clock.now());
  }
  await over;
  assert.equal(clock.pending, 0, "a timer is left");
  return clock.now();
}

const open = (...all: readonly Stream[]): OpenStreams => {
  const streams = new OpenStreams();
  for (const one of all) streams.opened(one);
  return streams;
};
const unread = (): Stream => ({ moves: 0, isAwaited: false });
const still = (): Stream => ({ moves: 7, isAwaited: false });
const awaited = (): Stream => ({ moves: 0, isAwaited: true });

const CASES: readonly { name: string; wait: () => Promise<number>; expected: number }[] = [
  { name: "none", wait: () => waited(open(), 5_000), expected: 0 },
  { name: "one that nobody reads", wait: () => waited(open(unread()), 5_000), expected: 500 },
  {
    name: "many that nobody reads",
    wait: () => waited(open(unread(), unread(), unread()), 5_000),
    expected: 500,
  },
  { name: "less grace than it takes to see that", wait: () => waited(open(unread()), 200), expected: 200 },
  { name: "one whose reader has stopped", wait: () => waited(open(still()), 5_000), expected: 2_000 },
  { name: "no grace", wait: () => waited(open(awaited()), 0), expected: 0 },
  { name: "one whose reader waits", wait: () => waited(open(awaited(), unread()), 5_000), expected: 5_000 },
  {
    name: "one that flows",
    wait: () => {
      const one = still();
      return waited(open(one), 5_000, () => one.moves++);
    },
    expected: 5_000,
  },
  {
    name: "one whose reader begins in time",
    wait: () => {
      const one = unread();
      return waited(open(one), 5_000, (now) => {
        if (now === 400) one.moves = 1;
        if (now > 400) one.isAwaited = true;
      });
    },
    expected: 5_000,
  },
  {
    name: "one that flows for a while",
    wait: () => {
      const one = still();
      return waited(open(one), 5_000, (now) => (now <= 1_200 ? one.moves++ : 0));
    },
    expected: 3_500,
  },
  {
    name: "one that ends, and one that nobody reads",
    wait: () => {
      const one = awaited();
      const streams = open(one, unread());
      return waited(streams, 5_000, (now) => (now === 700 ? streams.closed(one) : undefined));
    },
    expected: 1_000,
  },
  {
    name: "one that ends",
    wait: () => {
      const one = awaited();
      const streams = open(one);
      return waited(streams, 5_000, (now) => (now === 700 ? streams.closed(one) : undefined));
    },
    expected: 700,
  },
];

for (const { name, wait, expected } of CASES) {
  test(`a drain waits ${expected} ms for: ${name}`, async () => {
    assert.equal(await wait(), expected);
  });
}
