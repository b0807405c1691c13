import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { Message } from "../../src/message/message.ts";
import { Flusher } from "../../src/session/outbox.ts";
import type { SessionOptions } from "../../src/session/options.ts";
import { Session } from "../../src/session/session.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { FrameType } from "../../src/wire/frame.ts";
import {
  bindBytes,
  frameBytes,
  helloBytes,
  requestBytes,
  sayings,
  subscribeBytes,
  welcomeBytes,
} from "../wire/frame-bytes.ts";
import { HandConnection } from "./hand-connection.ts";
import { Recorder } from "./recorder.ts";

const BUFFER = 80_000;
const MARK = BUFFER / 8;
const { stallTimeout, heartbeat, heartbeatTimeout } = DEFAULT_LIMITS;

class Owner extends Recorder {
  readonly levels: string[] = [];

  pressure(level: string): void {
    this.levels.push(level);
  }
}

interface Harness {
  readonly session: Session<unknown>;
  readonly connection: HandConnection;
  readonly owner: Owner;
  readonly clock: FakeClock;
  /** Everything that is done at the end of a turn of the loop. */
  readonly turn: () => void;
}

function openHarness(
  role: "dialer" | "acceptor" = "acceptor",
  options: Pick<SessionOptions<unknown>, "isShort"> = {},
): Harness {
  const connection = new HandConnection();
  const clock = new FakeClock();
  const owner = new Owner();
  const later: (() => void)[] = [];
  const session = new Session<unknown>(connection, {
    role,
    name: "harness",
    limits: { ...DEFAULT_LIMITS, sessionBuffer: BUFFER },
    clock,
    flusher: new Flusher((run) => void later.push(run)),
    lifecycle: owner,
    calls: owner,
    registrations: owner,
    ...options,
  });
  session.start();
  connection.arrive(role === "acceptor" ? helloBytes() : welcomeBytes(), bindBytes(1, "a"));
  const turn = (): void => {
    for (const run of later.splice(0)) run();
  };
  turn();
  return { session, connection, owner, clock, turn };
}

/** Answers until the session is full; the connection takes nothing. */
function fill({ session, connection, turn }: Harness): void {
  connection.isOpen = false;
  for (let id = 1; !session.pressure.isFull; id++) {
    session.reply(0, id, Message.ofBytes(new Uint8Array(5_000)));
    turn();
  }
}

test("P-62, P-66: who does not read the answers is not read either, and is again when half of the mark waits", () => {
  const harness = openHarness();
  const { session, connection, owner, turn } = harness;
  fill(harness);
  assert.ok(session.outbox.queued > MARK && session.outbox.queued <= MARK + 6_000);
  assert.equal(connection.isRead, false);
  for (let id = 10; id < 13; id++) session.reply(0, id, Message.ofBytes(new Uint8Array(300_000)));
  turn();
  connection.arrive(requestBytes(1, 1), requestBytes(1, 2));
  assert.equal(owner.count("request"), 0, "what had arrived waits");
  const levels = new Set<string>();
  while (session.pressure.isFull) {
    connection.take(1e9);
    for (const level of owner.levels.splice(0)) levels.add(level);
  }
  assert.deepEqual([...levels], ["full", "answered", "less", "room"]);
  assert.ok(session.outbox.queued <= MARK / 2);
  turn();
  assert.equal(connection.isRead, true);
  assert.deepEqual(
    owner.events.filter(({ event }) => event === "request").map(({ id }) => id),
    [1, 2],
  );
  assert.equal(session.state, "open");
});

test("P-66: a frame in the middle of a chunk is the last that is acted on, whatever the session answers with", () => {
  const floods: Record<string, Buffer> = {
    pings: frameBytes({ type: FrameType.ping, id: 1 }),
    "illegal registrations": subscribeBytes(1, "a..b"),
  };
  for (const [name, frame] of Object.entries(floods)) {
    const { session, connection, turn } = openHarness();
    connection.isOpen = false;
    const chunk = Buffer.concat(new Array<Buffer>(10_000).fill(frame));
    for (let count = 0; connection.isRead; count++) {
      assert.ok(count < 5, name);
      connection.arrive(chunk);
      turn();
    }
    assert.ok(session.outbox.queued < MARK + 66_000, `${name}: ${session.outbox.queued} bytes wait`);
    const before = session.outbox.queued;
    connection.arrive(chunk);
    assert.equal(session.outbox.queued, before, name);
  }
});

test("P-66: requests that a worker does not read do not keep its answers from being read", () => {
  const { session, connection, turn, owner } = openHarness();
  connection.isOpen = false;
  const binding = { subject: "b", registration: 1, number: 0 };
  for (let id = 1; !session.pressure.isFull; id++) {
    session.request(binding, id, Message.ofBytes(new Uint8Array(5_000)), 1_000);
    turn();
  }
  assert.equal(connection.isRead, true);
  assert.deepEqual(owner.levels, ["full"]);
});

test("P-62: an acceptor ends a session that takes nothing for the stall timeout, and says why when it is read again", () => {
  const harness = openHarness();
  const { session, connection, owner, clock, turn } = harness;
  fill(harness);
  const frames = connection.frames.length;
  clock.advance(stallTimeout - 1);
  assert.equal(session.state, "open");
  clock.advance(1);
  const ended = owner.last("ended");
  assert.equal(ended?.["reason"], "SLOW_CONSUMER");
  assert.match(String(ended?.["message"]), /did not read for 5000 ms.*while \d+ bytes waited/);
  assert.equal(connection.isRead, true, "the end of the connection is not missed");
  connection.takeAll();
  turn();
  const close = connection.frames.at(-1)!;
  assert.equal(close.type, FrameType.close);
  assert.equal(sayings(close)["reason"], "SLOW_CONSUMER");
  assert.ok(connection.frames.length - frames <= 3, "what waited was dropped");
  assert.equal(connection.ended, "closed");
});

test("P-62: whoever takes a byte now and then is not stalled, unless there is no room for that", () => {
  const runs = [
    { isShort: false, bytes: 1, isEnded: false },
    { isShort: true, bytes: 1, isEnded: true },
    { isShort: true, bytes: MARK, isEnded: false },
  ];
  for (const { isShort, bytes, isEnded } of runs) {
    const harness = openHarness("acceptor", { isShort: () => isShort });
    const { session, connection, clock } = harness;
    connection.unsent = 1_000_000;
    fill(harness);
    for (let round = 0; round < 8; round++) {
      clock.advance(stallTimeout - 10);
      connection.take(bytes);
    }
    assert.equal(session.state, isEnded ? "closing" : "open", JSON.stringify({ isShort, bytes }));
  }
});

test("P-62: an end that stood still itself does not blame the other", () => {
  const harness = openHarness();
  const { session, clock } = harness;
  fill(harness);
  const now = clock.now();
  clock.now = () => now + 60_000;
  clock.advance(stallTimeout / 2);
  assert.equal(session.state, "open");
});

test("P-66, P-80: who is held hears of it twice a second, and is not lost for not being heard", () => {
  const { session, connection, clock, turn, owner } = openHarness();
  session.pressure.hold();
  session.pressure.hold();
  session.pressure.release();
  turn();
  assert.equal(connection.isRead, false, "it was held twice");
  for (let passed = 0; passed < 10 * heartbeatTimeout; passed += 500) {
    clock.advance(500);
    turn();
  }
  assert.equal(session.state, "open");
  assert.equal(connection.of(FrameType.ping).length, (10 * heartbeatTimeout) / 500);
  session.pressure.release();
  turn();
  assert.equal(connection.isRead, true);
  clock.advance(heartbeat + heartbeatTimeout - 1);
  assert.equal(session.state, "open");
  clock.advance(1);
  assert.equal(owner.last("ended")?.["reason"], "HEARTBEAT_LOST");
});

test("P-66: a session that is held and released in one turn is not read in between", () => {
  const { session, connection, owner, turn } = openHarness();
  session.pressure.hold();
  session.pressure.release();
  connection.arrive(requestBytes(1, 1));
  session.pressure.hold();
  turn();
  assert.equal(owner.count("request"), 0);
  session.pressure.release();
  turn();
  assert.equal(owner.count("request"), 1);
  assert.equal(connection.isRead, true);
});

test("P-66: a dialer reads always, and ends the session only past all that can wait for it", () => {
  const harness = openHarness("dialer");
  const { session, connection, clock, owner, turn } = harness;
  fill(harness);
  assert.equal(connection.isRead, true);
  for (let passed = 0; passed < 4 * stallTimeout; passed += heartbeat) {
    clock.advance(heartbeat);
    connection.arrive(frameBytes({ type: FrameType.ping, id: 1 }));
    turn();
  }
  assert.equal(session.state, "open");
  const pings = Buffer.concat(new Array<Buffer>(1_000).fill(frameBytes({ type: FrameType.ping, id: 1 })));
  let most = 0;
  while (session.state === "open") {
    connection.arrive(pings);
    turn();
    most = Math.max(most, session.outbox.queued);
  }
  assert.equal(owner.last("ended")?.["reason"], "SLOW_CONSUMER");
  assert.ok(most > 5 * BUFFER && most < 7 * BUFFER, `${most} bytes waited`);
});
