import assert from "node:assert/strict";
import { test } from "node:test";
import { LintelError, failure } from "../../src/message/failure.ts";
import { Format, Message } from "../../src/message/message.ts";
import type { OutBinding } from "../../src/session/bindings.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { bindBytes, bodyOf, frameBytes, publishBytes, sayings, subscribeBytes } from "../wire/frame-bytes.ts";
import { openHarness, settled } from "./harness.ts";

const GREETING = { "max-payload": "1000", "max-headers": "16384" };

function binding(subject: string): OutBinding {
  return { subject, registration: 0, number: 0 };
}

function thrown(act: () => void): LintelError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof LintelError);
    return error;
  }
  throw new Error("nothing was thrown");
}

test("P-31: what the other end would not take is refused here, and nothing of it is sent", async () => {
  const { session, raw } = await openHarness({ greeting: GREETING });
  const subject = binding("a");
  session.publish(subject, Message.ofBytes(Buffer.alloc(1_000)));
  await settled();
  const before = raw.received.length;
  const large = Message.ofBytes(Buffer.alloc(1_001));
  const heads = Message.ofBytes(Buffer.alloc(0), `a:${"x".repeat(16_384)}\n`);
  const encoder = { encode: () => "ž".repeat(501) };
  const encoded = Message.ofValue(1, encoder, Format.text);
  for (const [message, reason] of [
    [large, "TOO_LARGE"],
    [encoded, "TOO_LARGE"],
    [heads, "HEADERS_TOO_LARGE"],
  ] as const) {
    assert.equal(thrown(() => session.publish(subject, message)).reason, reason);
    assert.equal(thrown(() => session.request(subject, 1, message, 1_000)).reason, reason);
    assert.equal(thrown(() => session.reply(0, 1, message)).reason, reason);
  }
  await settled();
  assert.equal(raw.received.length, before);
  session.publish(subject, Message.ofBytes(Buffer.from("after")));
  await raw.until(() => raw.of(FrameType.publish).length === 2);
  assert.equal(bodyOf(raw.of(FrameType.publish)[1]!).payload.toString(), "after");
});

test("P-31: a receiver closes at a message over its limits", async () => {
  const limits = { payload: 1_000, headers: 20_000 };
  for (const [bytes, text] of [
    [publishBytes(1, Buffer.alloc(1_001)), /1001 bytes is over the limit of 1000/],
    [frameBytes({ type: FrameType.publish, target: 1, aux: 20_001, body: Buffer.alloc(20_001) }), /20001/],
    [
      frameBytes({ type: FrameType.reply, aux: 0, id: 1, body: Buffer.alloc(20_001) }),
      /over the limit of 1000/,
    ],
  ] as const) {
    const { raw } = await openHarness({ limits });
    raw.send(bindBytes(1, "a"), bytes);
    const close = await raw.next(FrameType.close);
    assert.equal(sayings(close)["reason"], "BAD_FRAME");
    assert.match(sayings(close)["message"]!, text);
  }
});

test("P-71: details longer than the other end takes are left out, and never sent in CLOSE or GOAWAY", async () => {
  const { session, raw } = await openHarness({ greeting: GREETING });
  const why = (size: number) => ({ ...failure("HANDLER_FAILED"), details: Buffer.alloc(size, "1") });
  session.error(0, 1, why(1_000));
  session.error(0, 2, why(1_001));
  session.refuse(3, why(1_001));
  session.goaway(why(10));
  session.fail(why(10));
  await raw.next(FrameType.close);
  const sizes = raw.frames.slice(1).map((frame) => bodyOf(frame).payload.length);
  assert.deepEqual(sizes, [1_000, 0, 0, 0, 0]);
});

test("P-70: line ends in a text cannot make headers, and long texts are cut", async () => {
  const { session, raw } = await openHarness();
  const text = "a\r\nreason:FAKE\n\u0000b";
  session.error(0, 1, { code: "internal", reason: "R", message: text, retryable: false });
  session.error(0, 2, { code: "internal", reason: "R", message: "終".repeat(50_000), retryable: true });
  await raw.until(() => raw.of(FrameType.error).length === 2);
  const [first, second] = raw.of(FrameType.error);
  assert.deepEqual(sayings(first!), { code: "internal", reason: "R", message: "a reason:FAKE b" });
  assert.ok(second!.aux <= 16_384);
  assert.equal(sayings(second!)["retryable"], "true");
});

test("P-41: the timeout on the wire is between 1 and 2,147,483,647", async () => {
  const { session, raw, owner } = await openHarness();
  const subject = binding("a");
  const sent = [0, -5, 0.4, 1.9, 30_000.7, 2_147_483_647, 1e12];
  for (const [index, timeoutMs] of sent.entries())
    session.request(subject, index + 1, Message.ofBytes(Buffer.alloc(0)), timeoutMs);
  await raw.until(() => raw.of(FrameType.request).length === sent.length);
  const written = raw.of(FrameType.request).map((frame) => frame.body.readUInt32LE(0));
  assert.deepEqual(written, [1, 1, 1, 1, 30_000, 2_147_483_647, 2_147_483_647]);
  raw.send(
    bindBytes(1, "a"),
    frameBytes({ type: FrameType.request, target: 1, id: 1, body: Buffer.alloc(4, 0xff) }),
  );
  assert.equal((await owner.next("request"))["timeoutMs"], 2_147_483_647);
});

test("P-24: numbers are used in turn and taken from the oldest; a hub's own begin higher", async () => {
  const greeting = { "max-payload": "1000", "max-headers": "16384", "max-bindings": "3" };
  const { session, raw } = await openHarness({ role: "dialer", greeting });
  const subjects = ["a", "b", "c", "d", "a", "e", "d"].map((name) => name);
  const bindings = new Map(subjects.map((name) => [name, binding(name)]));
  for (const name of subjects) session.publish(bindings.get(name)!, Message.ofBytes(Buffer.from(name)));
  await raw.until(() => raw.of(FrameType.publish).length === subjects.length);
  const bound = new Map<number, string>();
  const meant: string[] = [];
  for (const frame of raw.frames) {
    if (frame.type === FrameType.bind) bound.set(frame.target, frame.body.toString());
    if (frame.type === FrameType.publish) meant.push(bound.get(frame.target)!);
  }
  assert.deepEqual(meant, subjects);
  assert.deepEqual([...bound.keys()], [1, 2, 3]);
  assert.equal(raw.of(FrameType.bind).length, 6, "d keeps its number");

  const hub = await openHarness({ firstBinding: 32_768 });
  hub.session.publish(binding("a"), Message.ofBytes(Buffer.from("x")));
  assert.equal((await hub.raw.next(FrameType.bind)).target, 32_768);
});

test("P-25: only an acceptor names max-bindings", async () => {
  const dialer = await openHarness({ role: "dialer", greeting: false });
  assert.equal(sayings(await dialer.raw.next(FrameType.hello))["max-bindings"], undefined);
  const greeting = { ...GREETING, "max-bindings": "none" };
  const { session, raw } = await openHarness({ greeting });
  assert.equal(sayings(raw.frames[0]!)["max-bindings"], "4096");
  for (const name of ["a", "b", "c"]) session.publish(binding(name), Message.ofBytes(Buffer.alloc(0)));
  await raw.until(() => raw.of(FrameType.publish).length === 3);
  assert.deepEqual(
    raw.of(FrameType.bind).map(({ target }) => target),
    [1, 2, 3],
  );
});

test("P-24: binding more than the limit closes, binding anew does not", async () => {
  const { raw, owner, session } = await openHarness({ limits: { bindings: 2 } });
  raw.send(bindBytes(1, "a"), bindBytes(65_535, "b"));
  for (let round = 0; round < 100; round++) raw.send(bindBytes(1, `a${round}`));
  raw.send(publishBytes(1, "x"));
  assert.equal((await owner.next("publish"))["subject"], "a99", "P-22: the newest counts");
  assert.equal(session.state, "open");
  raw.send(bindBytes(2, "c"));
  assert.equal(sayings(await raw.next(FrameType.close))["reason"], "TOO_MANY");
});

test("P-52: patterns and queues that are not legal are refused, and the session goes on", async () => {
  const { raw, owner } = await openHarness();
  raw.send(subscribeBytes(1, "a..b"), subscribeBytes(2, ""), subscribeBytes(3, ">.a"));
  raw.send(
    frameBytes({ type: FrameType.serve, id: 4, aux: 2, body: "*xa" }),
    subscribeBytes(5, "s".repeat(256)),
  );
  raw.send(subscribeBytes(6, "*.>"));
  await owner.next("subscribe");
  await raw.until(() => raw.of(FrameType.refused).length === 5);
  assert.deepEqual(
    raw.of(FrameType.refused).map(({ id }) => id),
    [1, 2, 3, 4, 5],
  );
  assert.ok(raw.of(FrameType.refused).every((frame) => sayings(frame)["reason"] === "BAD_SUBJECT"));
});
