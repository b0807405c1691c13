import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DeadlineTable, type Pending } from "../../src/collections/deadline-table.ts";
import { FakeClock } from "../../src/testing/index.ts";

/** Deadlines may be noticed this much late: the step of the timer, and its rounding up to a millisecond. */
const LATE_MS = 6;

interface Fired {
  readonly id: number;
  readonly deadline: number;
  readonly at: number;
}

class Harness {
  readonly clock: FakeClock;
  readonly fired: Fired[] = [];
  readonly table: DeadlineTable<Pending>;
  onFired: (() => void) | undefined;

  constructor(limit = 1_000_000, now = 0) {
    this.clock = new FakeClock(now);
    this.table = new DeadlineTable<Pending>(
      this.clock,
      limit,
      () => ({ id: 0, deadline: 0 }),
      (row) => {
        this.fired.push({ id: row.id, deadline: row.deadline, at: this.clock.now() });
        this.table.release(row);
        this.onFired?.();
      },
    );
  }

  /** Adds a row and returns its number. */
  add(timeoutMs: number): number {
    const row = this.table.add(this.clock.now() + timeoutMs);
    assert.ok(row !== undefined, "the table is full");
    return row.id;
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      add: fc.oneof(fc.integer({ min: 1, max: 80 }), fc.double({ min: 0.01, max: 50, noNaN: true })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ burst: fc.integer({ min: 100, max: 600 }) }) },
  { weight: 3, arbitrary: fc.record({ release: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({ advance: fc.oneof(fc.nat(20), fc.double({ min: 0, max: 30, noNaN: true })) }),
  },
);

test("agrees with a Map, and every deadline fires in its time", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60, size: "max" }),
      fc.constantFrom(0, 0.37, 1e9 + 0.123),
      (steps, start) => {
        const harness = new Harness(1_000_000, start);
        const { table, clock, fired } = harness;
        const live = new Map<number, number>();
        const gone: number[] = [];
        let last = 0;
        let seen = 0;
        const add = (timeoutMs: number): void => {
          const id = harness.add(timeoutMs);
          assert.ok(id > last, "numbers count up and never repeat");
          last = id;
          live.set(id, clock.now() + timeoutMs);
        };
        for (const one of steps) {
          if ("add" in one) add(one.add);
          if ("burst" in one) for (let index = 0; index < one.burst; index++) add(1 + (index % 40));
          if ("release" in one && live.size > 0) {
            const id = [...live.keys()][one.release % live.size]!;
            table.release(table.get(id)!);
            live.delete(id);
            gone.push(id);
          }
          if ("advance" in one) clock.advance(one.advance);
          for (; seen < fired.length; seen++) {
            const { id, deadline, at } = fired[seen]!;
            assert.equal(live.get(id), deadline);
            assert.ok(at >= deadline && at <= deadline + LATE_MS, `due ${deadline}, fired ${at}`);
            live.delete(id);
            gone.push(id);
          }
          assert.equal(table.size, live.size);
          for (const [id, deadline] of live) {
            assert.equal(table.get(id)?.deadline, deadline);
            assert.ok(deadline + LATE_MS >= clock.now(), "none is forgotten");
          }
          for (const id of gone) assert.equal(table.get(id), undefined);
        }
        clock.advance(200);
        assert.equal(table.size, 0);
        assert.equal(clock.pending, 0, "and no timer stays armed");
      },
    ),
    { numRuns: 200 },
  );
});

test("grows and shrinks, and keeps what is in it", () => {
  const harness = new Harness();
  const long = harness.add(1_000);
  const ids = Array.from({ length: 5_000 }, () => harness.add(10));
  assert.equal(new Set(ids).size, 5_000);
  for (const id of [long, ...ids]) assert.equal(harness.table.get(id)?.id, id);
  harness.clock.advance(20);
  assert.equal(harness.fired.length, 5_000);
  assert.equal(harness.table.get(long)?.id, long);
  harness.clock.advance(1_000);
  assert.equal(harness.table.size, 0);
  const next = harness.add(10);
  assert.equal(next, long + 5_001);
  for (const id of [long, ...ids]) assert.equal(harness.table.get(id), undefined);
});

test("at its limit it takes none, and one more for each that ends", () => {
  const harness = new Harness(3);
  const first = harness.add(100);
  harness.add(100);
  assert.equal(harness.table.isFull, false);
  harness.add(100);
  assert.equal(harness.table.isFull, true);
  assert.equal(harness.table.add(100), undefined);
  assert.equal(harness.table.size, 3);
  harness.table.release(harness.table.get(first)!);
  assert.equal(harness.add(100), 4);
  assert.equal(harness.table.add(100), undefined);
});

test("a row that expires may be followed by another at once", () => {
  const harness = new Harness();
  harness.onFired = () => {
    if (harness.fired.length < 10) harness.add(7);
  };
  harness.add(7);
  harness.clock.advance(1_000);
  assert.equal(harness.fired.length, 10);
  for (const { deadline, at } of harness.fired) assert.ok(at >= deadline && at <= deadline + LATE_MS);
});

test("the table may grow while it expires", () => {
  const harness = new Harness();
  harness.onFired = () => {
    harness.onFired = undefined;
    for (let index = 0; index < 2_000; index++) harness.add(50);
  };
  for (let index = 0; index < 200; index++) harness.add(10);
  harness.clock.advance(20);
  assert.equal(harness.fired.length, 200);
  assert.equal(harness.table.size, 2_000);
  harness.clock.advance(60);
  assert.equal(harness.table.size, 0);
});

test("numbers nobody was given find nothing", () => {
  const harness = new Harness();
  const id = harness.add(100);
  for (const other of [0, -1, id + 1, id + 256, id + 2 ** 32, NaN, 0.5, Infinity]) {
    assert.equal(harness.table.get(other), undefined);
  }
});

test("the longest timeout waits, whatever rounding makes of it", () => {
  const longest = 2_147_483_647;
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (start) => {
      const harness = new Harness(10, start);
      const after = harness.clock.after.bind(harness.clock);
      let armed = 0;
      harness.clock.after = (delayMs, callback) => {
        armed++;
        assert.ok(delayMs <= longest, `a timer of ${delayMs} ms`);
        return after(delayMs, callback);
      };
      harness.add(longest);
      harness.clock.advance(longest + 10);
      assert.equal(harness.fired.length, 1);
      assert.ok(armed <= 2, `armed ${armed} times`);
    }),
  );
});

test("stop disarms the timer and leaves the rows", () => {
  const harness = new Harness();
  const id = harness.add(10);
  harness.table.stop();
  assert.equal(harness.clock.pending, 0);
  harness.clock.advance(100);
  assert.equal(harness.table.get(id)?.id, id);
});

test("a walk skips what ends on the way", () => {
  const harness = new Harness();
  for (let index = 0; index < 5; index++) harness.add(100);
  const walked: number[] = [];
  for (const row of harness.table.live()) {
    walked.push(row.id);
    if (row.id === 2) for (const id of [3, 5]) harness.table.release(harness.table.get(id)!);
    if (row.id === 2) for (let index = 0; index < 300; index++) harness.add(100);
  }
  assert.deepEqual(
    walked.filter((id) => id <= 5),
    [1, 2, 4],
  );
  assert.equal(new Set(walked).size, walked.length);
});
