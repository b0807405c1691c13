import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../src/testing/index.ts";

test("timers fire in order of time, then of arming, at their own time", () => {
  const clock = new FakeClock(1_000);
  const fired: [string, number][] = [];
  const note = (name: string) => () => fired.push([name, clock.now()]);
  clock.after(20, note("b"));
  clock.after(10, note("a"));
  clock.after(20, note("c"));
  clock.after(31, note("too late"));
  clock.advance(30);
  assert.deepEqual(fired, [
    ["a", 1_010],
    ["b", 1_020],
    ["c", 1_020],
  ]);
  assert.equal(clock.now(), 1_030);
  assert.equal(clock.pending, 1);
});

test("a callback may arm and clear timers", () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  clock.after(5, () => {
    fired.push("first");
    clock.clear(doomed);
    clock.after(0, () => fired.push("at once"));
    clock.after(100, () => fired.push("too late"));
  });
  const doomed = clock.after(6, () => fired.push("doomed"));
  clock.advance(10);
  assert.deepEqual(fired, ["first", "at once"]);
});

test("what is no delay is what the platform makes of it", () => {
  const clock = new FakeClock();
  const fired: number[] = [];
  for (const delay of [2_147_483_648, Infinity, NaN]) clock.after(delay, () => fired.push(clock.now()));
  clock.after(-5, () => fired.push(clock.now()));
  clock.advance(1);
  assert.deepEqual(fired, [0, 1, 1, 1]);
  assert.throws(() => clock.advance(-1), RangeError);
  assert.throws(() => clock.advance(NaN), RangeError);
});
