/** A publication for more sessions than one turn of the loop may write to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FanOut } from "../../../src/gateway/native/fan-out.ts";
import type { FanOutTarget } from "../../../src/gateway/native/feed.ts";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { Message } from "../../../src/message/message.ts";
import { Flusher, Outbox } from "../../../src/session/outbox.ts";
import { FakeClock } from "../../../src/testing/index.ts";

const COUNT = 1_000;
const SHARE = 256;

/** A session that takes whatever it is sent. */
class Target implements FanOutTarget {
  readonly maxPayload: number;
  readonly maxHeaders = 65_535;
  isSlow = false;
  tooLarges = 0;
  /** The texts that have come, which are digits behind a bracket. */
  readonly heard: string[] = [];
  readonly outbox: Outbox;

  constructor(flusher: Flusher, maxPayload = 1_000_000) {
    this.maxPayload = maxPayload;
    const send = (bytes: Uint8Array): boolean => {
      const text = Buffer.from(bytes.subarray(0, 2_000)).toString("latin1"); // one large message, or small ones
      for (const [, number] of text.matchAll(/\[(\d+)/g)) this.heard.push(number!);
      return true;
    };
    const nothing = (): void => undefined;
    this.outbox = new Outbox({ remote: "", send, open: nothing, close: nothing, abort: nothing }, flusher);
  }

  bindFeed(): void {
    // all are bound
  }
  overflow(): void {
    assert.fail("no session is slow here");
  }
  tooLarge(): void {
    this.tooLarges++;
  }
  missed(): void {
    assert.fail("nothing is missed");
  }
}

class Harness {
  #later: (() => void)[] = [];
  readonly flusher = new Flusher((callback) => this.#later.push(callback));
  readonly engine = new LocalEngine({ clock: new FakeClock() });
  readonly fanOut = new FanOut(this.engine, this.flusher);
  readonly targets: Target[] = [];

  listen(pattern: string, maxPayload?: number): { target: Target; leave: () => void } {
    const target = new Target(this.flusher, maxPayload);
    this.targets.push(target);
    const listener = { target, overflow: "drop-newest", ended: () => undefined } as const;
    void this.fanOut.add(pattern, listener);
    return { target, leave: () => this.fanOut.remove(pattern, listener) };
  }

  publish(subject: string, number: number, size = 0): void {
    const text = `[${String(number).padEnd(size)}]`;
    this.engine.publish(this.engine.route(subject), Message.ofBytes(Buffer.from(text)));
  }

  /** Runs a turn; false when there is nothing to do. */
  turn(): boolean {
    const later = this.#later;
    this.#later = [];
    for (const callback of later) callback();
    return later.length > 0;
  }
}

test("a session a turn is written to once, 256 of them, until all have it", () => {
  const harness = new Harness();
  for (let at = 0; at < COUNT; at++) harness.listen("s");
  harness.publish("s", 1);
  const reached = (): number => harness.targets.filter(({ heard }) => heard.length > 0).length;
  const turns: number[] = [];
  for (let before = 0; harness.turn(); before = reached()) turns.push(reached() - before);
  assert.deepEqual(turns, [SHARE, SHARE, SHARE, COUNT - 3 * SHARE]);
  for (const { heard } of harness.targets) assert.deepEqual(heard, ["1"]);
});

for (const size of [0, 70_000]) {
  test(`what is published meanwhile keeps its order, on any subject, of ${size} bytes`, () => {
    const harness = new Harness();
    for (let at = 0; at < 400; at++) harness.listen("s.*", at % 2 === 0 ? 1_000 : undefined);
    const { target: one } = harness.listen("s.b");
    const expected: string[] = [];
    for (let number = 0; number < 12; number++) {
      harness.publish(number % 2 === 0 ? "s.a" : "s.b", number, number % 3 === 0 ? size : 0);
      expected.push(String(number));
      if (number % 4 === 0) harness.turn();
    }
    while (harness.turn());
    const small = size === 0 ? expected : expected.filter((_, number) => number % 3 !== 0);
    for (const [at, { heard, tooLarges }] of harness.targets.slice(0, 400).entries()) {
      assert.deepEqual(heard, at % 2 === 0 ? small : expected);
      assert.equal(tooLarges, at % 2 === 0 && size > 0 ? 4 : 0);
    }
    assert.deepEqual(
      one.heard,
      expected.filter((_, number) => number % 2 === 1),
    );
  });
}

test("who comes or leaves meanwhile gets what was published in its time, and nothing twice", () => {
  const harness = new Harness();
  const ends = Array.from({ length: COUNT }, () => harness.listen("s"));
  harness.publish("s", 1);
  harness.turn();
  for (const { leave } of ends.slice(-100)) leave();
  for (const { target } of ends.slice(-100)) assert.deepEqual(target.heard, ["1"]);
  const { target: late } = harness.listen("s");
  harness.publish("s", 2);
  while (harness.turn());
  for (const { target } of ends.slice(0, -100)) assert.deepEqual(target.heard, ["1", "2"]);
  for (const { target } of ends.slice(-100)) assert.deepEqual(target.heard, ["1"]);
  assert.deepEqual(late.heard, ["2"]);
});

test("what waits has a bound: past it all is written at once", () => {
  const harness = new Harness();
  for (let at = 0; at < 300; at++) harness.listen("s");
  for (let number = 0; number < 40; number++) harness.publish("s", number, 900_000);
  const { heard } = harness.targets.at(-1)!;
  assert.ok(heard.length >= 30, `${heard.length}`);
  while (harness.turn());
  assert.equal(harness.targets.at(-1)!.heard.length, 40);
});
