/** When a peer dials, by a clock that a test moves and a transport whose attempts a test ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RemoteEngine } from "../../../src/engine/remote/remote-engine.ts";
import { LintelError, type Failure } from "../../../src/message/failure.ts";
import { Message } from "../../../src/message/message.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import type { Connection, DialOptions, Transport } from "../../../src/transport/transport.ts";
import { FrameType } from "../../../src/wire/frame.ts";
import { frameBytes, welcomeBytes, withHeaders } from "../../wire/frame-bytes.ts";
import { pipe, RawEnd, settled } from "../../session/harness.ts";

const FIRST_MS = 50;
const LAST_MS = 800;

interface Attempt {
  readonly at: number;
  readonly signal: AbortSignal | undefined;
  connect(connection: Connection): void;
  fail(): void;
}

class Harness {
  readonly clock = new FakeClock();
  readonly attempts: Attempt[] = [];
  readonly states: (readonly [state: string, why: string | undefined])[] = [];
  readonly engine: RemoteEngine;

  /** Half of each wait is random: this much of that half. */
  constructor(random: () => number) {
    const transport: Pick<Transport, "dial"> = { dial: (_url, options) => this.#dial(options) };
    this.engine = new RemoteEngine(transport as Transport, "test:", {
      clock: this.clock,
      random,
      onState: (state: string, why: Failure | undefined) => this.states.push([state, why?.reason]),
    });
  }

  /** Lets the last attempt fail, and returns how long it takes until the next. */
  async waitAfterFailure(): Promise<number> {
    const before = this.attempts.length;
    const failed = this.clock.now();
    this.attempts.at(-1)!.fail();
    await settled();
    while (this.attempts.length === before) this.clock.advance(1);
    return this.attempts.at(-1)!.at - failed;
  }

  /** The attempt reaches a hub, which does not greet by itself. */
  async reach(attempt: Attempt): Promise<RawEnd> {
    const [dialed, accepted] = await pipe();
    const end = new RawEnd(accepted);
    attempt.connect(dialed);
    await end.next(FrameType.hello);
    return end;
  }

  #dial(options: DialOptions | undefined): Promise<Connection> {
    return new Promise((resolve, reject) => {
      this.attempts.push({
        at: this.clock.now(),
        signal: options?.signal,
        connect: resolve,
        fail: () => reject(new Error("refused")),
      });
    });
  }
}

test("P-101: waits between attempts grow to the longest, half of each is random, and it goes on for ever", async () => {
  for (const [random, share] of [
    [0, 0.5],
    [1, 1],
  ] as const) {
    const harness = new Harness(() => random);
    const waits: number[] = [];
    for (let count = 0; count < 30; count++) waits.push(await harness.waitAfterFailure());
    const expected = [FIRST_MS, 100, 200, 400, ...new Array<number>(26).fill(LAST_MS)];
    assert.deepEqual(
      waits,
      expected.map((wait) => wait * share),
    );
    await harness.engine.close();
    assert.equal(harness.clock.pending, 0);
  }
});

test("P-101: after a CLOSE it dials again, and a session that was greeted begins with the shortest wait", async () => {
  const harness = new Harness(() => 1);
  for (let count = 0; count < 6; count++) await harness.waitAfterFailure();
  const hub = await harness.reach(harness.attempts.at(-1)!);
  hub.send(welcomeBytes());
  await harness.engine.connected();
  const lost = harness.clock.now();
  hub.send(withHeaders({ type: FrameType.close }, { code: "unavailable", reason: "DRAINING" }));
  await hub.until(() => hub.ended);
  await settled();
  assert.deepEqual(harness.states.slice(-2), [
    ["connected", undefined],
    ["connecting", "DRAINING"],
  ]);
  const count = harness.attempts.length;
  harness.clock.advance(10 * LAST_MS);
  assert.equal(harness.attempts[count]!.at - lost, FIRST_MS);
  await harness.engine.close();
});

test("P-101: a silent attempt is joined by others, eight at the most; the first that is welcomed ends them", async () => {
  const harness = new Harness(() => 1);
  harness.clock.advance(100 * LAST_MS);
  assert.deepEqual(
    harness.attempts.map(({ at }) => at),
    Array.from({ length: 8 }, (_, index) => index * LAST_MS),
  );
  // One reaches a hub that says nothing, one is welcomed, and one comes too late.
  const silent = await harness.reach(harness.attempts[2]!);
  const welcome = await harness.reach(harness.attempts[5]!);
  welcome.send(welcomeBytes());
  await harness.engine.connected();
  await silent.until(() => silent.ended);
  const [dialed, accepted] = await pipe();
  const late = new RawEnd(accepted);
  harness.attempts[0]!.connect(dialed);
  await late.until(() => late.ended);
  assert.deepEqual(late.frames, []);
  for (const [index, { signal }] of harness.attempts.entries()) {
    assert.equal(signal?.aborted, index !== 5, `attempt ${index}`);
  }
  harness.clock.advance(2_000);
  welcome.send(frameBytes({ type: FrameType.ping, id: 1 }));
  await welcome.next(FrameType.pong);
  assert.deepEqual(harness.states, [["connected", undefined]]);
  assert.equal(harness.attempts.length, 8);
  await harness.engine.close();
});

test("P-101: an attempt that fails makes room for the next while others are silent", async () => {
  const harness = new Harness(() => 1);
  harness.clock.advance(100 * LAST_MS);
  harness.attempts[3]!.fail();
  await settled();
  harness.clock.advance(FIRST_MS);
  assert.equal(harness.attempts.length, 9);
  harness.clock.advance(100 * LAST_MS);
  assert.equal(harness.attempts.length, 9);
  await harness.engine.close();
  assert.equal(harness.clock.pending, 0);
  assert.ok(harness.attempts.every(({ signal }, index) => index === 3 || signal?.aborted === true));
});

test("P-102: while there is no session, requests and publications fail at once and are not sent later", async () => {
  const harness = new Harness(() => 1);
  const { engine } = harness;
  const outcomes: string[] = [];
  const sink = {
    answered: () => outcomes.push("answered"),
    failed: (_tag: number, why: Failure) => outcomes.push(why.reason),
  };
  const message = Message.ofBytes(new Uint8Array(1));
  assert.equal(engine.request(engine.route("a"), message, 1_000, sink, 0), 0);
  assert.deepEqual(outcomes, ["NOT_CONNECTED"]);
  assert.throws(
    () => engine.publish(engine.route("a"), message),
    (error) => error instanceof LintelError && error.reason === "NOT_CONNECTED" && error.retryable,
  );
  const hub = await harness.reach(harness.attempts[0]!);
  hub.send(welcomeBytes());
  await engine.connected();
  assert.notEqual(engine.request(engine.route("b"), message, 1_000, sink, 0), 0);
  await hub.next(FrameType.request);
  hub.connection.abort();
  await settled();
  assert.deepEqual(outcomes, ["NOT_CONNECTED", "CONNECTION_LOST"]);
  harness.clock.advance(LAST_MS);
  const next = await harness.reach(harness.attempts.at(-1)!);
  next.send(welcomeBytes());
  await engine.connected();
  await settled();
  assert.deepEqual(
    next.frames.map(({ type }) => type),
    [FrameType.hello],
  );
  await engine.close();
});
