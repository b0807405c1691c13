/** Dialing again, on a clock and with numbers that the test gives. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, test } from "node:test";
import { Redialer } from "../../src/runtime/redialer.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

interface Attempt {
  readonly at: number;
  readonly signal: AbortSignal;
  open(): Promise<void>;
  fail(): Promise<void>;
}

class Dials {
  readonly clock = new FakeClock();
  readonly attempts: Attempt[] = [];
  readonly opened: number[] = [];
  readonly discarded: number[] = [];
  readonly errors: unknown[] = [];
  /** 1 is the longest wait, 0 the shortest. */
  jitter = 1;
  readonly redialer = new Redialer<number>({
    clock: this.clock,
    random: () => this.jitter,
    dial: (signal) =>
      new Promise((resolve, reject) => {
        const number = this.attempts.length;
        signal.addEventListener("abort", () => reject(signal.reason as Error));
        this.attempts.push({
          at: this.clock.now(),
          signal,
          open: () => (resolve(number), turn()),
          fail: () => (reject(new Error("refused")), turn()),
        });
      }),
    discard: (number) => this.discarded.push(number),
    onOpened: (number) => this.opened.push(number),
    onFailed: (error) => this.errors.push(error),
  });

  get last(): Attempt {
    return this.attempts.at(-1)!;
  }

  /** How long it waits for the next attempt. */
  nextWait(): number {
    const [count, from] = [this.attempts.length, this.clock.now()];
    for (let ms = 0; ms < 10_000 && this.attempts.length === count; ms++) this.clock.advance(1);
    return this.clock.now() - from;
  }
}

describe("dialing again", () => {
  test("the waits double up to a bound, for ever", async () => {
    const dials = new Dials();
    dials.redialer.start();
    const waits: number[] = [];
    for (let count = 0; count < 1_000; count++) {
      await dials.last.fail();
      waits.push(dials.nextWait());
    }
    assert.deepEqual(waits.slice(0, 7), [50, 100, 200, 400, 800, 800, 800]);
    assert.ok(waits.slice(7).every((ms) => ms === 800));
    assert.equal(dials.errors.length, 1_000);
  });

  test("half of a wait is random", async () => {
    const dials = new Dials();
    dials.jitter = 0;
    dials.redialer.start();
    await dials.last.fail();
    assert.equal(dials.nextWait(), 25);
  });

  test("a connection that lasted begins anew, one that ended at once does not", async () => {
    const dials = new Dials();
    dials.redialer.start();
    const waits: number[] = [];
    for (let count = 0; count < 4; count++) {
      await dials.last.open();
      dials.redialer.lost();
      waits.push(dials.nextWait());
    }
    await dials.last.open();
    dials.clock.advance(5_000);
    dials.redialer.lost();
    waits.push(dials.nextWait());
    assert.deepEqual(waits, [50, 100, 200, 400, 50]);
    assert.deepEqual(dials.opened, [0, 1, 2, 3, 4]);
  });

  test("an attempt that comes to nothing is given up, and followed by another", async () => {
    const dials = new Dials();
    dials.redialer.start();
    dials.clock.advance(4_999);
    assert.equal(dials.last.signal.aborted, false);
    dials.clock.advance(1);
    assert.equal(dials.last.signal.aborted, true);
    await turn();
    assert.match(String(dials.errors[0]), /no connection in 5000 ms/);
    dials.nextWait();
    assert.equal(dials.attempts.length, 2);
  });

  test("stop ends an attempt, and what it opened all the same is discarded", async () => {
    const dials = new Dials();
    dials.redialer.start();
    const opening = dials.last.open();
    dials.redialer.stop();
    await opening;
    assert.deepEqual([dials.opened, dials.discarded, dials.errors], [[], [0], []]);
    assert.ok(dials.last.signal.aborted);
    assert.equal(dials.clock.pending, 0);
  });

  test("stop ends the wait for the next attempt; a loss after it changes nothing", async () => {
    const dials = new Dials();
    dials.redialer.start();
    await dials.last.open();
    dials.redialer.stop();
    dials.redialer.lost();
    assert.equal(dials.clock.pending, 0);
    const waiting = new Dials();
    waiting.redialer.start();
    await waiting.last.fail();
    waiting.redialer.stop();
    waiting.clock.advance(10_000);
    assert.deepEqual([waiting.attempts.length, waiting.clock.pending], [1, 0]);
  });
});
