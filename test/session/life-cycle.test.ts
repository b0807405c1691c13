import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../../src/message/failure.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { FrameType } from "../../src/wire/frame.ts";
import {
  bindBytes,
  frameBytes,
  helloBytes,
  publishBytes,
  sayings,
  welcomeBytes,
  withHeaders,
} from "../wire/frame-bytes.ts";
import { openHarness, settled } from "./harness.ts";

const { helloTimeout, heartbeat, heartbeatTimeout } = DEFAULT_LIMITS;
const GRACE = 2_000;

test("P-10: an acceptor says nothing before it has read HELLO; a dialer begins", async () => {
  const acceptor = await openHarness({ greeting: false });
  await settled();
  assert.deepEqual(acceptor.raw.frames, []);
  const dialer = await openHarness({ role: "dialer", greeting: false });
  await settled();
  assert.deepEqual(
    dialer.raw.frames.map(({ type }) => type),
    [FrameType.hello],
  );
  assert.equal(dialer.session.state, "greeting");
});

test("P-15: a dialer sends nothing before it has read WELCOME, however long that takes", async () => {
  const { clock, raw, session } = await openHarness({ role: "dialer", greeting: false });
  clock.advance(helloTimeout - 1);
  await settled();
  assert.deepEqual(
    raw.frames.map(({ type }) => type),
    [FrameType.hello],
  );
  raw.send(welcomeBytes());
  await settled();
  assert.equal(session.state, "open");
});

test("P-12: headers a greeting has besides are ignored", async () => {
  const greeting = { "max-payload": "10", "max-headers": "99999", "x-new": "1", name: "n" };
  const { session, owner } = await openHarness({ greeting });
  assert.equal(owner.count("opened"), 1);
  assert.equal(session.maxPayload, 10);
  assert.equal(session.maxHeaders, 65_535, "what the length field can say");
});

test("P-14: a session that is not greeted in time is closed with the reason", async () => {
  for (const role of ["acceptor", "dialer"] as const) {
    const { clock, raw, owner } = await openHarness({ role, greeting: false });
    clock.advance(helloTimeout - 1);
    assert.equal(owner.events.length, 0);
    clock.advance(1);
    assert.equal((await owner.next("ended"))["reason"], "HEARTBEAT_LOST");
    assert.match(sayings(await raw.next(FrameType.close))["message"]!, /greeting/);
    await raw.until(() => raw.ended);
    await owner.next("closed");
    assert.equal(clock.pending, 0, "no timer is left");
  }
});

test("P-80, P-81: a silent peer is pinged after the heartbeat and lost after its timeout", async () => {
  const { clock, raw, owner, session } = await openHarness();
  clock.advance(heartbeat - 1);
  await settled();
  assert.equal(raw.of(FrameType.ping).length, 0);
  clock.advance(1);
  await raw.next(FrameType.ping);
  clock.advance(heartbeatTimeout - 1);
  assert.equal(session.state, "open");
  clock.advance(1);
  assert.equal(session.state, "closing");
  assert.equal(owner.last("ended")?.["reason"], "HEARTBEAT_LOST", "its owner hears of it at once");
  assert.equal(sayings(await raw.next(FrameType.close))["reason"], "HEARTBEAT_LOST");
});

test("P-80: the time counts from the last byte that came, whatever it was", async () => {
  const { clock, raw, session } = await openHarness();
  const started = clock.now();
  for (let round = 0; round < 20; round++) {
    clock.advance(heartbeat - 100);
    raw.send(Uint8Array.of(0)); // the first bytes of a frame that takes its time
    await settled();
    if (round >= 15 - 1) break;
  }
  assert.equal(raw.of(FrameType.ping).length, 0, "it was never quiet");
  const heardLast = clock.now();
  assert.ok(heardLast - started > 10 * heartbeat);
  clock.advance(heartbeat + heartbeatTimeout - 1);
  assert.equal(session.state, "open");
  clock.advance(1);
  assert.equal(session.state, "closing");
});

test("P-81: a peer that answers pings stays; PING is answered with its id", async () => {
  const { clock, raw, session } = await openHarness();
  for (let round = 0; round < 10; round++) {
    clock.advance(heartbeat);
    await raw.until(() => raw.of(FrameType.ping).length === round + 1);
    raw.send(frameBytes({ type: FrameType.pong, id: raw.of(FrameType.ping)[round]!.id }));
    await settled();
  }
  assert.equal(session.state, "open");
  raw.send(frameBytes({ type: FrameType.ping, id: 0xfffffffe, body: "ignored" }));
  assert.equal((await raw.next(FrameType.pong)).id, 0xfffffffe);
});

test("P-80: an end that stood still itself asks once more before it gives up", async () => {
  const { clock, session, raw } = await openHarness();
  clock.advance(heartbeat);
  assert.equal(session.state, "open");
  // The clock of a stopped process jumps: the check comes late.
  const before = clock.now.bind(clock);
  clock.now = () => before() + 60_000;
  clock.advance(heartbeatTimeout);
  assert.equal(session.state, "open");
  await raw.until(() => raw.of(FrameType.ping).length === 2);
  clock.advance(heartbeatTimeout);
  assert.equal(session.state, "closing");
});

test("P-16, P-17: CLOSE is the last frame, and nothing is read after it was sent", async () => {
  const { session, raw, owner, clock } = await openHarness();
  session.fail(failure("DRAINING", "good bye"));
  session.fail(failure("CLOSED", "a second time is ignored"));
  assert.equal(session.state, "closing");
  raw.send(frameBytes({ type: FrameType.ping, id: 1 }), frameBytes({ type: 99 }));
  const close = await raw.next(FrameType.close);
  assert.deepEqual(sayings(close), {
    code: "unavailable",
    reason: "DRAINING",
    message: "good bye",
    retryable: "true",
  });
  await owner.next("closed");
  assert.equal(raw.frames.at(-1), close);
  assert.equal(owner.count("ended"), 1);
  assert.equal(owner.count("closed"), 1);
  assert.equal(owner.last("closed")?.["reason"], "DRAINING");
  assert.equal(clock.pending, 0);
});

test("P-16: the reasons of a CLOSE reach the owner at once, and the connection is ended", async () => {
  for (const role of ["acceptor", "dialer"] as const) {
    for (const greeting of [false, undefined] as const) {
      const harness = await openHarness({ role, ...(greeting === undefined ? {} : { greeting }) });
      const { raw, owner, session } = harness;
      raw.send(
        withHeaders(
          { type: FrameType.close },
          { code: "resource_exhausted", reason: "TOO_MANY", message: "no" },
        ),
        frameBytes({ type: 99 }),
      );
      assert.equal((await owner.next("ended"))["reason"], "TOO_MANY");
      await owner.next("closed");
      await raw.until(() => raw.ended);
      assert.equal(session.state, "closed");
      assert.equal(raw.of(FrameType.close).length, 0, "CLOSE is not answered with CLOSE");
    }
  }
});

test("P-17: a peer that sends CLOSE, or is sent it, and then does not leave is cut off", async () => {
  const { clock, session, owner } = await openHarness();
  session.fail(failure("CLOSED"));
  clock.advance(GRACE);
  assert.equal(clock.pending, 0);
  await owner.next("closed");
});

test("P-19: a connection that just ends is CONNECTION_LOST", async () => {
  const { raw, owner, clock } = await openHarness();
  raw.connection.abort();
  assert.equal((await owner.next("closed"))["reason"], "CONNECTION_LOST");
  assert.deepEqual(
    owner.events.map(({ event }) => event),
    ["opened", "ended", "closed"],
  );
  assert.equal(clock.pending, 0);
});

test("P-18: GOAWAY goes both ways and ends nothing", async () => {
  const { session, raw, owner } = await openHarness();
  session.goaway(failure("DRAINING"));
  assert.equal(sayings(await raw.next(FrameType.goaway))["reason"], "DRAINING");
  raw.send(withHeaders({ type: FrameType.goaway }, { code: "unavailable", reason: "DRAINING" }));
  assert.equal((await owner.next("goaway"))["reason"], "DRAINING");
  assert.equal(session.state, "open");
});

test("P-2: a stranger gets 16 KiB, a peer the whole limit", async () => {
  const stranger = await openHarness({ greeting: false });
  stranger.raw.send(frameBytes({ type: FrameType.hello, length: 16_385 }));
  await stranger.raw.next(FrameType.close);
  const { raw, session } = await openHarness();
  raw.send(frameBytes({ type: FrameType.ping, length: 4 + 32_768 + 1_048_576 }));
  await settled();
  assert.equal(session.state, "open");
});

test("P-5: fields without a meaning, flags and bodies of frames that have none are ignored", async () => {
  const { raw, owner, session } = await openHarness();
  const junk = { flags: 0xfc, aux: 7, target: 9, body: "junk" };
  raw.send(
    frameBytes({ ...junk, type: FrameType.pong, id: 4 }),
    frameBytes({ ...junk, type: FrameType.ping, id: 5 }),
  );
  const pong = await raw.next(FrameType.pong);
  assert.deepEqual([pong.flags, pong.aux, pong.target, pong.id, pong.body.length], [0, 0, 0, 5, 0]);
  raw.send(frameBytes({ ...junk, type: FrameType.leave, id: 3 }));
  assert.equal((await owner.next("leave"))["registration"], 3);
  raw.send(
    bindBytes(1, "a"),
    frameBytes({ type: FrameType.publish, flags: 0xfa, target: 1, id: 8, body: "text" }),
  );
  const publication = await owner.next("publish");
  assert.equal(publication["payloadHex"], Buffer.from("text").toString("hex"));
  assert.equal(publication["format"], "text");
  assert.equal(session.state, "open");
});

test("P-6: frames are acted on in the order they come, whatever else comes with them", async () => {
  const { raw, owner } = await openHarness();
  const frames = [
    bindBytes(1, "a"),
    publishBytes(1, "1"),
    bindBytes(1, "b"),
    publishBytes(1, "2"),
    frameBytes({ type: FrameType.leave, id: 3 }),
    publishBytes(1, "3"),
  ];
  raw.send(Buffer.concat(frames));
  await owner.until(() => owner.count("publish") === 3);
  assert.deepEqual(
    owner.events.slice(1).map(({ event, subject }) => subject ?? event),
    ["a", "b", "leave", "b"],
  );
});

test("HELLO may bring frames along in one chunk with it", async () => {
  const { raw } = await openHarness({ greeting: false });
  raw.send(Buffer.concat([helloBytes(), frameBytes({ type: FrameType.ping, id: 5 })]));
  assert.equal((await raw.next(FrameType.pong)).id, 5);
});

test("P-70: codes and reasons of a newer or careless peer are read as what is known", async () => {
  const { raw, owner } = await openHarness();
  const read = async (headers: Record<string, string>): Promise<unknown[]> => {
    const seen = owner.count("error");
    raw.send(withHeaders({ type: FrameType.error, id: 1 }, headers));
    await owner.until(() => owner.count("error") > seen);
    const { code, reason, message, retryable } = owner.last("error")!;
    return [code, reason, message, retryable];
  };
  assert.deepEqual(await read({ code: "teapot", reason: "TEA" }), ["unknown", "TEA", "", false]);
  assert.deepEqual(await read({ code: "aborted" }), ["aborted", "ABORTED", "", false]);
  assert.deepEqual(await read({ code: "aborted", reason: "no reason" }), ["aborted", "ABORTED", "", false]);
  assert.deepEqual(await read({ code: "aborted", reason: "R".repeat(65) }), [
    "aborted",
    "ABORTED",
    "",
    false,
  ]);
  assert.deepEqual(await read({ code: "__proto__", retryable: "yes" }), ["unknown", "UNKNOWN", "", false]);
  assert.deepEqual(await read({ retryable: "true", message: "a:b" }), ["unknown", "UNKNOWN", "a:b", true]);
});
