/** What a session does with frames of streams that come when and as they should not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../../src/message/failure.ts";
import { Format, Message, type StreamEnd } from "../../src/message/message.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { sayings } from "../wire/frame-bytes.ts";
import { openHarness, settled } from "./harness.ts";
import {
  CHANNEL,
  carrying,
  closesWith,
  control,
  data,
  holder,
  open,
  harnessOf,
  taking,
} from "./stream-harness.ts";

test("P-110: an end that has not said that it takes streams is opened none", async () => {
  const { session, raw } = await openHarness({ greeting: { "max-payload": "1000", "max-headers": "16384" } });
  const [near, far] = createStream({ sends: true, receives: true, messages: false });
  let why: string | undefined;
  near.listen(holder({ reset: ({ reason }) => (why = reason) }));
  assert.throws(() => session.reply(0, 1, carrying(far)), { reason: "STREAMS_UNSUPPORTED" });
  assert.equal(why, "STREAMS_UNSUPPORTED", "and what it was to be opened for is over");
  await settled();
  assert.deepEqual(raw.of(FrameType.open), []);
});

test("P-110: an end whose limit is 0 says nothing of streams, and is opened none", async () => {
  const harness = await harnessOf({ limits: { streams: 0 } });
  const welcome = await harness.raw.next(FrameType.welcome);
  assert.equal(sayings(welcome)["max-streams"], undefined);
  await closesWith(harness, "BAD_FRAME", open(1));
});

test("P-111: an acceptor opens even numbers, in order; the places of streams are those of their OPENs", async () => {
  const { session, raw, owner } = await harnessOf(
    {},
    open(1),
    open(3, CHANNEL),
    taking(1),
    open(5),
    taking(2),
  );
  assert.deepEqual(
    owner.events.filter(({ event }) => event === "request").map(({ streams }) => streams),
    [[1, 3], [5]],
  );
  const ends = [1, 2].map(() => createStream({ sends: true, receives: false, messages: true })[1]);
  session.reply(0, 1, carrying(...ends));
  await settled();
  assert.deepEqual(
    raw.of(FrameType.open).map(({ target, aux }) => [target, aux]),
    [
      [2, 5],
      [4, 5],
    ],
  );
  assert.equal((await raw.next(FrameType.reply)).flags, Format.bytes | 4);
});

test("P-112: as many streams as were announced, and no more; one that has ended makes room", async () => {
  const harness = await harnessOf({ limits: { streams: 2 } }, open(1), open(3), taking(1));
  harness.raw.send(control(FrameType.reset, 1), open(5), taking(2));
  await settled();
  assert.equal(harness.session.state, "open");
  assert.equal(harness.session.streams.size, 2);
  await closesWith(harness, "BAD_FRAME", open(7));
});

test("P-112: a flood of OPENs for one message ends the session", async () => {
  const harness = await harnessOf({}, ...Array.from({ length: 256 }, (_, index) => open(2 * index + 1)));
  assert.equal(harness.session.state, "open");
  await closesWith(harness, "BAD_FRAME", open(513));
});

test("P-112: messages over the other end's limit, or with 257 streams, are refused here", async () => {
  const { session, raw } = await harnessOf();
  const many = (count: number): Message =>
    carrying(
      ...Array.from(
        { length: count },
        () => createStream({ sends: true, receives: false, messages: false })[1],
      ),
    );
  assert.throws(() => session.reply(0, 1, many(11)), { reason: "TOO_MANY" });
  assert.throws(() => session.reply(0, 1, many(257)), { reason: "TOO_MANY" });
  session.reply(0, 1, many(10));
  assert.throws(() => session.reply(0, 2, many(1)), { reason: "TOO_MANY" });
  await settled();
  assert.equal(raw.of(FrameType.open).length, 10);
  assert.equal(session.streams.size, 10);
});

test("P-113: frames for a stream that is over are ignored, and the streams they carry are reset", async () => {
  const { raw, session, owner } = await harnessOf({}, open(1, CHANNEL), taking(1));
  owner.streams.get(1)!.reset(failure("CALLER_GONE"));
  raw.send(
    open(3),
    data(1, "late", { flags: 4 }),
    control(FrameType.credit, 1, 5),
    control(FrameType.end, 1),
    control(FrameType.reset, 1),
  );
  await settled();
  assert.equal(session.state, "open");
  assert.equal(owner.count("data"), 0);
  assert.deepEqual(
    raw.of(FrameType.reset).map(({ target }) => target),
    [1, 3],
  );
  assert.equal(session.streams.size, 0);
});

test("P-115: a RESET before the message withdraws its stream", async () => {
  const { owner, session } = await harnessOf({}, open(1), open(3), control(FrameType.reset, 1), taking(1));
  assert.deepEqual(owner.last("request")?.["streams"], [3]);
  assert.equal(session.streams.size, 1);
});

test("P-115: a message that cannot be sent resets what was opened for it", async () => {
  const { session, raw, owner } = await harnessOf();
  const [near, far] = createStream({ sends: true, receives: true, messages: false });
  const message = carrying(far);
  message.bytes = new Uint8Array(1_001);
  message.end = 1_001;
  assert.throws(() => session.reply(0, 1, message), { reason: "TOO_LARGE" });
  await settled();
  assert.deepEqual(
    raw.frames.slice(-2).map(({ type, target }) => [type, target]),
    [
      [FrameType.open, 2],
      [FrameType.reset, 2],
    ],
  );
  assert.equal(session.streams.size, 0);
  near.send(Message.ofBytes(new Uint8Array(5)));
  await settled();
  assert.equal(raw.of(FrameType.data).length, 0);
  assert.equal(owner.count("ended"), 0);
});

test("P-115: what has happened to a stream while its message waited comes after the message", async () => {
  const { session, raw } = await harnessOf();
  const [source, first] = createStream({ sends: true, receives: false, messages: false });
  const [, second] = createStream({ sends: true, receives: false, messages: false });
  source.send(Message.ofBytes(Buffer.from("early")));
  source.reset(failure("CALLER_GONE"));
  session.reply(0, 1, carrying(first, second));
  await settled();
  const sent = raw.frames.slice(1).map(({ type, target }) => [type, target]);
  assert.deepEqual(sent, [
    [FrameType.open, 2],
    [FrameType.open, 4],
    [FrameType.reply, 0],
    [FrameType.reset, 2],
  ]);
});

test("P-115: code that makes a payload cannot put a message between another and its OPENs", async () => {
  const { session, raw } = await harnessOf();
  const stream = (): StreamEnd => createStream({ sends: true, receives: false, messages: false })[1];
  const encoder = {
    encode: () => {
      session.reply(0, 2, carrying(stream()));
      return "outer";
    },
  };
  const outer = Message.ofValue(1, encoder, Format.text);
  outer.streams = [stream()];
  session.reply(0, 1, outer);
  await settled();
  assert.deepEqual(
    raw.frames.slice(1).map(({ type, target, id }) => [type, type === FrameType.open ? target : id]),
    [
      [FrameType.open, 2],
      [FrameType.reply, 2],
      [FrameType.open, 4],
      [FrameType.reply, 1],
    ],
  );
});

test("P-117: the streams of a session that ends are reset, and CLOSE is the last it says", async () => {
  for (const end of ["fail", "lost"] as const) {
    const { session, raw, owner } = await harnessOf({}, open(1), open(3), taking(1));
    // Whoever hears of one lets go of the other.
    const [near, far] = createStream({ sends: true, receives: true, messages: false });
    session.reply(0, 1, carrying(far));
    near.listen(holder({ reset: () => owner.streams.get(3)!.reset(failure("CALLER_GONE")) }));
    await settled();
    if (end === "fail") session.fail(failure("DRAINING"));
    else raw.connection.abort();
    await owner.next("ended");
    await settled();
    const resets = owner.events.filter(({ event }) => event === "reset");
    assert.ok(resets.length > 0);
    for (const { reason } of resets) assert.equal(reason, "CONNECTION_LOST");
    assert.equal(session.streams.size, 0);
    assert.equal(raw.of(FrameType.reset).length, 0);
    if (end === "fail") assert.equal(raw.frames.at(-1)?.type, FrameType.close, "P-16");
    // What comes afterwards is over at once.
    const [late, other] = createStream({ sends: true, receives: true, messages: false });
    let why: string | undefined;
    late.listen(holder({ reset: ({ reason }) => (why = reason) }));
    session.reply(0, 2, carrying(other));
    assert.equal(why, "CONNECTION_LOST");
    assert.equal(session.streams.size, 0);
  }
});

test("bytes go out in frames that the other end takes", async () => {
  const { session, raw } = await harnessOf();
  const [near, far] = createStream({ sends: true, receives: false, messages: false });
  session.reply(0, 1, carrying(far));
  near.send(Message.ofBytes(Buffer.alloc(2_500, "z")));
  await settled();
  assert.deepEqual(
    raw.of(FrameType.data).map(({ body }) => body.length),
    [1_000, 1_000, 500],
  );
});

test("a pair of ends: over when both have ended, and a reset later is heard by nobody", () => {
  const [one, other] = createStream({ sends: true, receives: true, messages: true });
  const heard: string[] = [];
  const listen = (end: StreamEnd, name: string): void =>
    end.listen(
      holder({
        data: (message) => heard.push(`${name} ${Buffer.from(message.payload()).toString()}`),
        ended: () => heard.push(`${name} ended`),
        granted: (bytes) => heard.push(`${name} +${bytes}`),
        reset: ({ reason }) => heard.push(`${name} ${reason}`),
      }),
    );
  one.send(Message.ofBytes(Buffer.from("a")));
  one.end();
  one.send(Message.ofBytes(Buffer.from("after the end")));
  listen(other, "other");
  listen(one, "one");
  other.grant(7);
  other.send(Message.ofBytes(Buffer.from("b")));
  other.end();
  one.reset(failure("CALLER_GONE"));
  other.reset(failure("CALLER_GONE"));
  assert.deepEqual(heard, ["other a", "other ended", "one b", "one ended"]);
  assert.throws(() => listen(one, "again"), TypeError);
});
