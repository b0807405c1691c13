/** After work and once it is quiet again, a process gives back the memory that it has grown by. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryRelief, releaseMemory, type ProcessMemory } from "../../src/hub/memory-relief.ts";

const MIB = 1_048_576;
const INTERVAL = 5_000;

/** A process as the test tells it. */
class Process implements ProcessMemory {
  computed = 0;
  size = 60 * MIB;
  heapSize = 10 * MIB;
  /** What it comes to when memory is released. */
  least = 60 * MIB;
  released = 0;
  readonly relief = new MemoryRelief(this);

  busy(): number {
    return this.computed;
  }

  resident(): number {
    return this.size;
  }

  heap(): number {
    return this.heapSize;
  }

  release(): void {
    this.released++;
    this.computed += 100;
    this.size = Math.min(this.size, this.least);
  }

  /** An interval in which it computes for so long. */
  pass(computed: number): void {
    this.computed += computed;
    this.relief.look(INTERVAL);
  }
}

test("memory is given back in the first quiet interval after work, once", () => {
  const one = new Process();
  one.pass(0);
  one.pass(4_000);
  one.size = 200 * MIB;
  one.pass(4_000);
  assert.equal(one.released, 0, "while it is busy there is no time for it");
  one.pass(0);
  assert.deepEqual([one.released, one.size], [1, 60 * MIB]);
  for (let count = 0; count < 10; count++) one.pass(1);
  assert.equal(one.released, 1);
});

test("what cannot be given back is tried again only after more work", () => {
  const one = new Process();
  one.least = 150 * MIB;
  one.size = 200 * MIB;
  one.pass(4_000);
  for (let count = 0; count < 10; count++) one.pass(0);
  assert.equal(one.released, 1);
  for (let count = 0; count < 10; count++) one.pass(200);
  assert.equal(one.released, 6, "a process with little to do has time for it every other interval");
});

test("a process that has hardly grown, or has a large heap, is left alone", () => {
  for (const change of [{ size: 62 * MIB }, { size: 400 * MIB, heapSize: 200 * MIB }]) {
    const one = Object.assign(new Process(), change);
    one.pass(4_000);
    one.pass(0);
    assert.equal(one.released, 0);
  }
});

test("buffers that nobody has any more are collected though nothing is allocated", () => {
  let buffers: Buffer[] | undefined = Array.from({ length: 16 }, () => Buffer.alloc(MIB, 1));
  assert.ok(buffers.length === 16 && process.memoryUsage().arrayBuffers >= 16 * MIB);
  const before = process.memoryUsage.rss();
  buffers = undefined;
  releaseMemory();
  assert.ok(process.memoryUsage().arrayBuffers < 8 * MIB);
  assert.ok(process.memoryUsage.rss() <= before, "and nothing is taken for it");
});
