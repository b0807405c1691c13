/** Two sessions, a link that cuts bytes anywhere, and streams on which both ends do what they like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { failure } from "../../src/message/failure.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../src/message/message.ts";
import { INITIAL_CREDIT, messageCost } from "../../src/stream/stream.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { Flusher } from "../../src/session/outbox.ts";
import { Session } from "../../src/session/session.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import type { Connection, ConnectionHandler } from "../../src/transport/transport.ts";
import { Recorder } from "./recorder.ts";

/** One end of the link. What is sent waits until the run lets some of it through. */
class Cut implements Connection {
  readonly remote = "cut";
  other!: Cut;
  #handler!: ConnectionHandler;
  #sent: Buffer = Buffer.alloc(0);
  /** It is full, and says so. */
  stuck = false;

  open(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  send(bytes: Uint8Array): boolean {
    this.#sent = Buffer.concat([this.#sent, bytes]);
    return !this.stuck;
  }

  unstick(): void {
    if (!this.stuck) return;
    this.stuck = false;
    this.#handler.drained();
  }

  /** Lets so many bytes through. */
  deliver(count: number): void {
    const bytes = this.#sent.subarray(0, count);
    this.#sent = this.#sent.subarray(bytes.length);
    if (bytes.length > 0) this.other.#handler.data(new Uint8Array(bytes), true);
  }

  get waiting(): number {
    return this.#sent.length;
  }

  close(): void {
    // nothing is ever closed in this run
  }

  abort(): void {
    assert.fail("a session was cut off");
  }
}

/** What one end of a stream has done, and what it has heard. */
class Side implements StreamEvents {
  readonly end: StreamEnd;
  readonly sent: number[] = [];
  readonly heard: number[] = [];
  /** What it may still send, and what it has taken without granting it anew. */
  credit = INITIAL_CREDIT;
  owed = 0;
  hasEnded = false;
  hasHeardEnd = false;
  isReset = false;

  constructor(end: StreamEnd) {
    this.end = end;
    end.listen(this);
  }

  /** Both ways have ended, one way or another. */
  get isOver(): boolean {
    const { sends, receives } = this.end;
    return this.isReset || ((this.hasEnded || !sends) && (this.hasHeardEnd || !receives));
  }

  data(message: Message): void {
    assert.ok(!this.hasHeardEnd && !this.isReset, "nothing comes after the end");
    this.owed += this.end.messages ? messageCost(message) : message.payload().length;
    this.heard.push(...message.payload());
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
    // the run does not wait for room
  }

  reset(): void {
    assert.ok(!this.isReset);
    this.isReset = true;
  }
}

interface Flow {
  readonly near: Side;
  far: Side | undefined;
  readonly messages: boolean;
}

/** Sessions at both ends, and the streams that the first one's messages have carried. */
class Run {
  readonly flows: Flow[] = [];
  readonly links: readonly [Cut, Cut];
  readonly sessions: readonly [Session<unknown>, Session<unknown>];
  readonly #deferred: (() => void)[] = [];
  #count = 0;

  constructor() {
    const [one, other] = [new Cut(), new Cut()];
    one.other = other;
    other.other = one;
    this.links = [one, other];
    this.sessions = [this.#session(one, "dialer"), this.#session(other, "acceptor")];
    for (const session of this.sessions) session.start();
    this.settle();
    assert.deepEqual(
      this.sessions.map(({ state }) => state),
      ["open", "open"],
    );
  }

  #session(connection: Connection, role: "dialer" | "acceptor"): Session<unknown> {
    const owner = new Recorder();
    owner.reply = (_registration, _id, { streams = [] }) => {
      const waiting = this.flows.filter(({ far }) => far === undefined);
      streams.forEach((end, place) => {
        waiting[place]!.far = new Side(end);
      });
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
    });
  }

  /** A message with streams, some of which have been used already. */
  carry(shapes: readonly { sends: boolean; receives: boolean; messages: boolean }[]): void {
    const ends: StreamEnd[] = [];
    for (const shape of shapes) {
      const [near, far] = createStream(shape);
      this.flows.push({ near: new Side(near), far: undefined, messages: shape.messages });
      ends.push(far);
    }
    for (const flow of this.flows.slice(-shapes.length)) this.send(flow.near, 3);
    const message = new Message();
    message.streams = ends;
    this.sessions[0].reply(0, ++this.#count, message);
  }

  send(side: Side, size: number): void {
    if (!side.end.sends || side.hasEnded || side.isReset || side.credit <= 0) return;
    const bytes = Uint8Array.from(
      { length: Math.min(size, side.credit) },
      (_, at) => (side.sent.length + at) % 256,
    );
    const message = Message.ofBytes(bytes);
    side.credit -= side.end.messages ? messageCost(message) : bytes.length;
    side.sent.push(...bytes);
    side.end.send(message);
  }

  finish(side: Side): void {
    side.hasEnded = true;
    side.end.end();
  }

  reset(side: Side): void {
    if (side.isOver) return;
    side.isReset = true;
    side.end.reset(failure("CALLER_GONE"));
  }

  flush(): void {
    for (const flush of this.#deferred.splice(0)) flush();
  }

  settle(): void {
    do {
      this.flush();
      for (const link of this.links) {
        link.unstick();
        link.deliver(Infinity);
      }
    } while (this.#deferred.length > 0 || this.links.some(({ waiting }) => waiting > 0));
  }
}

const shape = fc
  .record({ sends: fc.boolean(), receives: fc.boolean(), messages: fc.boolean() })
  .filter(({ sends, receives }) => sends || receives);
const flow = fc.nat({ max: 20 });
const operation = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("carry" as const),
      shapes: fc.array(shape, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      flow,
      far: fc.boolean(),
      size: fc.integer({ min: 1, max: 9_000 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("grant" as const), flow, far: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("end" as const), flow, far: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const), flow, far: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      link: fc.nat({ max: 1 }),
      count: fc.integer({ min: 1, max: 40_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stick" as const), link: fc.nat({ max: 1 }) }) },
);

function perform(run: Run, one: typeof operation extends fc.Arbitrary<infer T> ? T : never): void {
  if (one.do === "carry") return run.carry(one.shapes);
  if (one.do === "stick") return void (run.links[one.link]!.stuck = true);
  if (one.do === "deliver") {
    run.flush();
    if (one.count % 3 === 0) run.links[one.link]!.unstick();
    return run.links[one.link]!.deliver(one.count);
  }
  const chosen = run.flows[one.flow % Math.max(run.flows.length, 1)];
  const side = one.far ? chosen?.far : chosen?.near;
  if (side === undefined) return undefined;
  if (one.do === "send") return run.send(side, one.size);
  if (one.do === "end") return run.finish(side);
  if (one.do === "reset") return run.reset(side);
  if (side.owed > 0) side.end.grant(side.owed);
  side.owed = 0;
  return undefined;
}

function startsWith(whole: readonly number[], part: readonly number[]): boolean {
  return part.every((byte, at) => whole[at] === byte);
}

/** One way of a stream that has come to rest. */
function check(from: Side, to: Side): void {
  if (!from.end.sends) {
    assert.equal(to.heard.length, 0);
    return;
  }
  assert.ok(startsWith(from.sent, to.heard), "bytes come in order, and none that were not sent");
  if (from.isReset || to.isReset) return;
  assert.equal(to.heard.length, from.sent.length, "everything has come");
  assert.equal(to.hasHeardEnd, from.hasEnded);
}

test("P-114, P-118: bytes come in order and complete within the credit, however the link cuts them, and nothing is left", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120, size: "max" }), (operations) => {
      const run = new Run();
      for (const one of operations) perform(run, one);
      run.settle();
      for (const { near, far } of run.flows) {
        assert.ok(far !== undefined, "every stream has come");
        check(near, far);
        check(far, near);
        assert.ok(near.isReset ? far.isOver : !far.isReset || near.isOver, "a RESET reaches who is not done");
      }
      for (const { near, far } of run.flows) {
        for (const side of [near, far!]) if (side.end.sends) run.finish(side);
      }
      run.settle();
      assert.deepEqual(
        run.sessions.map(({ streams, state }) => [streams.size, state]),
        [
          [0, "open"],
          [0, "open"],
        ],
      );
    }),
    { numRuns: 150 },
  );
});
