/** Two sessions, frames, bypasses and answers that come in any order, and a stream that both ends use as they like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { failure } from "../../src/message/failure.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../src/message/message.ts";
import { INITIAL_CREDIT } from "../../src/stream/stream.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { sideChannels } from "../../src/session/side-channels/side-channels.ts";
import { Flusher } from "../../src/session/outbox.ts";
import { Session } from "../../src/session/session.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import type { Connection } from "../../src/transport/transport.ts";
import { BypassNet, Wire } from "./model-bypasses.ts";
import { Recorder } from "./recorder.ts";

/** Bytes that tell where they belong. */
const PATTERN = Buffer.from(Uint8Array.from({ length: 2_000_000 }, (_, at) => at % 253));

/** What one end of the stream has done and heard. Bytes are those of a counter. */
class Side implements StreamEvents {
  readonly end: StreamEnd;
  sent = 0;
  heard = 0;
  credit = INITIAL_CREDIT;
  owed = 0;
  hasEnded = false;
  hasHeardEnd = false;
  isReset = false;

  constructor(end: StreamEnd) {
    this.end = end;
    end.listen(this);
  }

  send(size: number): void {
    const length = Math.min(size, this.credit);
    if (this.hasEnded || this.isReset || length <= 0) return;
    this.credit -= length;
    const from = this.sent % 253;
    this.sent += length;
    this.end.send(Message.ofBytes(PATTERN.subarray(from, from + length)));
  }

  take(): void {
    const { owed } = this;
    this.owed = 0;
    if (owed > 0 && !this.isReset) this.end.grant(owed);
  }

  data(message: Message): void {
    assert.ok(!this.hasHeardEnd && !this.isReset, "nothing comes after the end");
    const bytes = message.payload();
    const from = this.heard % 253;
    assert.ok(PATTERN.subarray(from, from + bytes.length).equals(bytes), `other bytes from ${this.heard} on`);
    this.heard += bytes.length;
    this.owed += bytes.length;
  }

  ended(): void {
    assert.ok(!this.hasHeardEnd && !this.isReset);
    this.hasHeardEnd = true;
  }

  granted(bytes: number): void {
    this.credit += bytes;
  }

  ready(): boolean {
    return true;
  }

  writable(): void {
    // it sends when the run says so
  }

  reset(): void {
    assert.ok(!this.isReset);
    this.isReset = true;
  }
}

class Run {
  readonly net = new BypassNet();
  readonly wires: readonly [Wire, Wire];
  readonly sessions: readonly [Session<unknown>, Session<unknown>];
  readonly sides: Side[] = [];
  readonly #deferred: (() => void)[] = [];
  /** A bypass was cut: then both ends may hear a reset that neither has asked for. */
  wasCut = false;

  /** `by`: which session opens the streams. */
  constructor(by: 0 | 1, count: number) {
    const [one, other] = [new Wire(this.net.dialed), new Wire(this.net.accepted)];
    one.other = other;
    other.other = one;
    this.wires = [one, other];
    this.sessions = [this.#session(one, "dialer"), this.#session(other, "acceptor")];
    for (const session of this.sessions) session.start();
    this.quiet();
    const message = new Message();
    const near: StreamEnd[] = [];
    message.streams = Array.from({ length: count }, () => {
      const [here, far] = createStream({ sends: true, receives: true, messages: false });
      near.push(here);
      return far;
    });
    this.sessions[by].reply(0, 1, message);
    this.quiet();
    this.sides.unshift(...near.map((end) => new Side(end)));
    this.#warm();
  }

  /** Every side sends so much that it wants a bypass; none has been opened yet. */
  #warm(): void {
    for (let round = 0; round < 6; round++) {
      for (const side of this.sides) side.send(16_000);
      this.flush();
      for (const wire of this.wires) wire.deliver(Infinity);
      for (const side of this.sides) side.take();
      this.flush();
      for (const wire of this.wires) wire.deliver(Infinity);
    }
  }

  #session(connection: Connection, role: "dialer" | "acceptor"): Session<unknown> {
    const owner = new Recorder();
    owner.reply = (_registration, _id, { streams = [] }) => {
      for (const end of streams) this.sides.push(new Side(end));
    };
    return new Session<unknown>(connection, {
      role,
      name: role,
      limits: DEFAULT_LIMITS,
      clock: new FakeClock(),
      flusher: new Flusher((flush) => this.#deferred.push(flush)),
      lifecycle: owner,
      calls: owner,
      registrations: owner,
      sideChannels,
    });
  }

  flush(): void {
    for (const flush of this.#deferred.splice(0)) flush();
  }

  /** Everything arrives that can, but nothing is taken by readers. */
  quiet(): void {
    for (let moved = true; moved;) {
      this.flush();
      moved = this.#deferred.length > 0;
      for (const wire of this.wires) moved = wire.deliver(Infinity) || moved;
      for (const step of this.net.steps.splice(0)) {
        step();
        moved = true;
      }
      for (const end of this.net.ends) moved = end.step() || moved;
    }
  }
}

const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      at: fc.nat({ max: 5 }),
      size: fc.integer({ min: 1, max: 60_000 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("take" as const), at: fc.nat({ max: 5 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      at: fc.nat({ max: 1 }),
      size: fc.integer({ min: 1, max: 80_000 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("open" as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("bypass" as const), at: fc.nat({ max: 11 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("end" as const), at: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("quiet" as const) }) },
);
const fault = fc.oneof(
  fc.record({ do: fc.constant("reset" as const), at: fc.nat({ max: 5 }) }),
  fc.record({ do: fc.constant("cut" as const), at: fc.nat({ max: 11 }) }),
);

type Operation = typeof operation | typeof fault extends fc.Arbitrary<infer T> ? T : never;

function perform(run: Run, one: Operation): void {
  const side = "at" in one ? run.sides[one.at % run.sides.length]! : undefined;
  const end = "at" in one ? run.net.ends[one.at % Math.max(run.net.ends.length, 1)] : undefined;
  if (one.do === "send") side!.send(one.size);
  else if (one.do === "take") side!.take();
  else if (one.do === "end" && !side!.isReset && !side!.hasEnded) {
    side!.hasEnded = true;
    side!.end.end();
  } else if (one.do === "reset" && !side!.isReset && !(side!.hasEnded && side!.hasHeardEnd)) {
    side!.isReset = true;
    side!.end.reset(failure("CALLER_GONE"));
  } else if (one.do === "cut" && end !== undefined) {
    run.wasCut = true;
    end.abort();
  } else if (one.do === "deliver") {
    run.flush();
    run.wires[one.at]!.deliver(one.size);
  } else if (one.do === "open") run.net.steps.shift()?.();
  else if (one.do === "bypass") end?.step();
  else if (one.do === "quiet") run.quiet();
}

/** Readers take all there is, until nothing more comes, and then everything ends. */
function settle(run: Run): void {
  const progress = (): number => run.sides.reduce((sum, { heard }) => sum + heard, 0);
  for (let before = -1; before !== progress();) {
    before = progress();
    run.quiet();
    for (const side of run.sides) side.take();
    run.quiet();
  }
  for (const side of run.sides) perform(run, { do: "end", at: run.sides.indexOf(side) });
  for (let turn = 0; turn < 3; turn++) {
    run.quiet();
    for (const side of run.sides) side.take();
  }
  run.quiet();
}

function check(run: Run, used: { bypasses: number }): void {
  settle(run);
  const half = run.sides.length / 2;
  for (let at = 0; at < half; at++) {
    const pair = [run.sides[at]!, run.sides[at + half]!] as const;
    const isReset = pair.some((side) => side.isReset);
    for (const [from, to] of [pair, [pair[1], pair[0]] as const]) {
      assert.ok(to.heard <= from.sent);
      if (isReset) continue;
      assert.equal(to.heard, from.sent, "everything has come");
      assert.ok(to.hasHeardEnd, "and its end");
    }
  }
  assert.deepEqual(
    run.sessions.map(({ streams, state }) => [streams.size, state]),
    [
      [0, "open"],
      [0, "open"],
    ],
  );
  used.bypasses += run.net.ends.length / 2;
}

const operations = fc.array(operation, { minLength: 40, maxLength: 150, size: "max" });
const start = { by: fc.constantFrom(0 as const, 1 as const), count: fc.integer({ min: 1, max: 3 }) };

test("P-134, P-135: whatever comes first, every byte comes once and in order, and then the end", () => {
  const used = { bypasses: 0 };
  fc.assert(
    fc.property(fc.record({ ...start, operations }), ({ by, count, operations: all }) => {
      const run = new Run(by, count);
      for (const one of all) perform(run, one);
      check(run, used);
      assert.ok(
        run.sides.every(({ isReset }) => !isReset),
        "nobody was reset",
      );
    }),
    { numRuns: 60 },
  );
  assert.ok(used.bypasses > 100, `${used.bypasses} bypasses in all runs`);
});

test("P-136: with resets and bypasses that are lost, no byte is wrong, no end too early, and nothing is left", () => {
  const used = { bypasses: 0 };
  const faulty = fc.tuple(operations, fc.array(fc.tuple(fc.nat({ max: 200 }), fault), { maxLength: 4 }));
  fc.assert(
    fc.property(fc.record({ ...start, faulty }), ({ by, count, faulty: [all, faults] }) => {
      const run = new Run(by, count);
      all.forEach((one, index) => {
        perform(run, one);
        for (const [when, what] of faults) if (when === index) perform(run, what);
      });
      check(run, used);
    }),
    { numRuns: 60 },
  );
  assert.ok(used.bypasses > 100, `${used.bypasses} bypasses in all runs`);
});
