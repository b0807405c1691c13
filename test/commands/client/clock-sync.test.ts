/** The server's time by pings, on a clock that the test moves. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, test } from "node:test";
import { ClockSync } from "../../../src/commands/client/clock-sync.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";

const HOUR_MS = 3_600_000;

/** A machine whose wall clock is wrong by an hour, and a server a few milliseconds away. */
class Network {
  readonly clock = new FakeClock(1_000);
  /** The server's time when the monotonic clock is at 0. */
  serverAt = 1_700_000_000_000;
  wallAt = this.serverAt - HOUR_MS;
  /** Ways there and back, one pair for each ping; then the last again. */
  readonly ways: [number, number][] = [[4, 4]];
  pings = 0;
  answer: ((serverMs: number) => unknown) | undefined;

  readonly sync = new ClockSync({
    clock: this.clock,
    wallClock: () => this.wallAt + this.clock.now(),
    ping: async () => {
      const [there, back] = this.ways[Math.min(this.pings++, this.ways.length - 1)]!;
      await turn();
      this.clock.advance(there);
      const serverMs = this.serverNow;
      await turn();
      this.clock.advance(back);
      return this.answer === undefined ? Math.floor(serverMs) : this.answer(serverMs);
    },
  });

  get serverNow(): number {
    return this.serverAt + this.clock.now();
  }

  get errorMs(): number {
    return this.sync.now() - this.serverNow;
  }
}

describe("clock sync", () => {
  test("before the first measurement it is the time of this machine", () => {
    const { sync, wallAt, clock } = new Network();
    assert.equal(sync.now(), wallAt + clock.now());
    assert.equal(sync.maxErrorMs, undefined);
  });

  test("the fastest of five pings counts, however lopsided the others are", async () => {
    const network = new Network();
    network.ways.splice(0, 1, [300, 10], [40, 2], [3, 5], [9, 90], [1, 200]);
    await network.sync.start();
    assert.equal(network.pings, 5);
    assert.equal(network.sync.maxErrorMs, 4 + 1);
    assert.ok(Math.abs(network.errorMs) <= 1.5, `off by ${network.errorMs} ms`);
  });

  test("C-96: the error is never above what is claimed, for ways of any length", async () => {
    for (let there = 0; there <= 60; there += 7) {
      for (let back = 0; back <= 60; back += 9) {
        const network = new Network();
        network.serverAt += 0.73;
        network.ways.splice(0, 1, [there, back]);
        await network.sync.start();
        assert.ok(Math.abs(network.errorMs) <= network.sync.maxErrorMs!, `${there} ms there, ${back} back`);
      }
    }
  });

  test("it is measured again every hour, and not after stop", async () => {
    const network = new Network();
    await network.sync.start();
    network.serverAt += 250; // the clocks have drifted apart
    network.clock.advance(HOUR_MS - 1);
    assert.equal(network.pings, 5);
    network.clock.advance(1);
    while (network.clock.pending === 0) await turn();
    assert.equal(network.pings, 10);
    assert.ok(Math.abs(network.errorMs) <= 1);
    network.sync.stop();
    assert.equal(network.clock.pending, 0);
  });

  test("C-96: a jump of the wall clock moves nothing, and begins one more measurement", async () => {
    const network = new Network();
    await network.sync.start();
    const before = network.errorMs;
    network.wallAt += 24 * HOUR_MS;
    assert.equal(network.errorMs, before);
    assert.equal(network.errorMs, before);
    while (network.clock.pending === 0) await turn();
    assert.equal(network.pings, 10);
    assert.equal(network.errorMs, before);
    assert.equal(network.clock.pending, 1);
  });

  test("without an answer the time stays as it was, and it is tried again in an hour", async () => {
    const network = new Network();
    await network.sync.start();
    const before = network.errorMs;
    network.answer = () => {
      throw new Error("the connection was lost");
    };
    await network.sync.start();
    assert.equal(network.pings, 6);
    network.answer = () => "1700000000000";
    await network.sync.start();
    assert.equal(network.pings, 7);
    assert.equal(network.errorMs, before);
    assert.equal(network.clock.pending, 1);
  });

  test("stop ends a measurement that is under way", async () => {
    const network = new Network();
    const measured = network.sync.start();
    network.sync.stop();
    await measured;
    assert.equal(network.pings, 1);
    assert.equal(network.sync.maxErrorMs, undefined);
    assert.equal(network.clock.pending, 0);
  });
});
