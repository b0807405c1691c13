import assert from "node:assert/strict";
import { test } from "node:test";
import { SlicedWork, type Step } from "../../src/runtime/sliced-work.ts";

/** Turns of a loop, one after the other as the test says. */
class Turns {
  readonly done: string[] = [];
  #later: (() => void)[] = [];
  readonly work: SlicedWork;

  constructor(share: number) {
    this.work = new SlicedWork((callback) => this.#later.push(callback), share);
  }

  get isQuiet(): boolean {
    return this.#later.length === 0;
  }

  next(): void {
    for (const callback of this.#later.splice(0)) callback();
  }

  /** Does `steps` steps that each leave the name behind. */
  run(name: string, steps: number): void {
    let left = steps;
    this.work.run(() => {
      this.done.push(name);
      return --left > 0;
    });
  }

  /** How many steps the last turn has done. */
  take(): number {
    return this.done.splice(0).length;
  }
}

for (const { steps, share, turns } of [
  { steps: 1, share: 10, turns: [1] },
  { steps: 10, share: 10, turns: [10] },
  { steps: 11, share: 10, turns: [10, 1] },
  { steps: 35, share: 10, turns: [10, 10, 10, 5] },
  { steps: 3, share: 1, turns: [1, 1, 1] },
]) {
  test(`${steps} steps, ${share} a turn`, () => {
    const loop = new Turns(share);
    loop.run("a", steps);
    for (const [turn, expected] of turns.entries()) {
      assert.equal(loop.take(), expected, `turn ${turn}`);
      loop.next();
    }
    loop.next();
    assert.equal(loop.take(), 0);
    assert.ok(loop.isQuiet);
  });
}

test("many small pieces share the steps of a turn, and keep their order", () => {
  const loop = new Turns(10);
  for (const name of "abcdefgh") loop.run(name, 3);
  assert.equal(loop.done.join(""), "aaabbbcccd");
  loop.next();
  assert.equal(loop.done.join(""), "aaabbbcccdddeeefffgg");
  loop.next();
  assert.equal(loop.done.join(""), "aaabbbcccdddeeefffggghhh");
});

test("what comes later waits behind what waits, also within a step", () => {
  const loop = new Turns(4);
  loop.run("a", 6);
  loop.run("b", 1);
  let left = 3;
  const step: Step = () => {
    loop.done.push("c");
    if (left === 3) loop.run("d", 2);
    return --left > 0;
  };
  loop.work.run(step);
  while (!loop.isQuiet) loop.next();
  assert.equal(loop.done.join(""), "aaaaaabcccdd");
});

test("little work needs no other turn", () => {
  const loop = new Turns(10);
  loop.run("a", 4);
  assert.ok(loop.isQuiet);
});
