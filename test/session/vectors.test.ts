import assert from "node:assert/strict";
import { test } from "node:test";
import type { EnabledVerb } from "../../src/message/delivery.ts";
import type { Failure } from "../../src/message/failure.ts";
import { Format, Message, type StreamEnd, type StreamShape } from "../../src/message/message.ts";
import type { Overflow } from "../../src/message/overflow.ts";
import { CODES, type Code } from "../../src/message/status.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { bodyOf, FrameLog, sayings } from "../wire/frame-bytes.ts";
import { bytesBefore, earlier, vectors, type GoodFrame } from "../wire/vectors.ts";
import type { RecordedEvent } from "./recorder.ts";
import { openHarness, settled, type Harness } from "./harness.ts";

type Fields = GoodFrame["fields"];

const TYPES: Readonly<Record<string, number>> = FrameType;
/** What one stream may have under way. */
const MAX_SHARE = 1_048_576;
const GREETINGS = new Set(["hello", "welcome"]);

/** What the owner of a session is told of a frame, from the vector's fields. */
function expectedEvent({ type, fields }: GoodFrame): Record<string, unknown> | undefined {
  switch (type) {
    case "request":
    case "dropped":
    case "publish": {
      const { binding: _number, ...rest } = fields;
      return { event: type, subject: "orders.create", bindingFor: 0, ...rest };
    }
    case "ready":
      return { event: type, ...fields, asked: TYPES[fields["asked"] as string] };
    case "close":
      return { event: "ended", ...fields };
    case "ping": // answered by the session
    case "pong": // a sign of life, nothing more
    case "bind": // seen in the requests and publications that name it
    case "open": // seen in the message that carries it
      return undefined;
    case "credit":
      // P-118: of very much a session hands on its share first
      return { event: type, ...fields, bytes: Math.min(Number(fields["bytes"]), MAX_SHARE) };
    default:
      return { event: type, ...fields };
  }
}

async function readAt(vector: GoodFrame, chunks: readonly Buffer[]): Promise<Harness> {
  const harness = await openHarness({ takesEnable: vector.needs === "enablement" });
  harness.raw.send(bytesBefore(vector), ...chunks);
  await settled();
  const expected = [...earlier(vector), vector].map((one) => expectedEvent(one));
  const got = joined(harness.owner.events.slice(1)).filter(({ event }) => event !== "closed");
  assert.deepEqual(
    got,
    expected.filter((one) => one !== undefined),
    vector.name,
  );
  return harness;
}

/** P-119: the bytes of a stream may come in parts. */
function joined(events: readonly RecordedEvent[]): RecordedEvent[] {
  const all: RecordedEvent[] = [];
  for (const one of events) {
    const last = all.at(-1);
    if (last?.event !== "data" || one.event !== "data" || one["format"] !== "bytes") all.push(one);
    else
      all[all.length - 1] = {
        ...last,
        payloadHex: `${String(last["payloadHex"])}${String(one["payloadHex"])}`,
      };
  }
  return all;
}

/** Those of attachments take two sockets, those of bypasses more than one stream: their own tests have them. */
const frames = vectors.frames.filter(
  ({ type, needs }) => !GREETINGS.has(type) && needs !== "attachments" && needs !== "bypasses",
);

for (const vector of frames) {
  test(`a session reads "${vector.name}", whole and cut at every byte`, async () => {
    const bytes = Buffer.from(vector.hex, "hex");
    const harness = await readAt(vector, [bytes]);
    if (vector.type === "ping")
      assert.equal((await harness.raw.next(FrameType.pong)).id, vector.fields["id"]);
    for (let cut = 1; cut < bytes.length; cut++) {
      await readAt(vector, [bytes.subarray(0, cut), bytes.subarray(cut)]);
    }
  });
}

test("a session reads the greetings, whole and cut at every byte", async () => {
  for (const [type, role] of [
    ["hello", "acceptor"],
    ["welcome", "dialer"],
  ] as const) {
    const vector = vectors.frames.find((frame) => frame.type === type)!;
    const bytes = Buffer.from(vector.hex, "hex");
    for (let cut = 1; cut <= bytes.length; cut++) {
      const { raw, owner, session } = await openHarness({ role, greeting: false });
      raw.send(bytes.subarray(0, cut), bytes.subarray(cut));
      await owner.next("opened");
      assert.equal(session.maxPayload, 1_048_576);
      assert.equal(session.maxHeaders, 32_768);
      assert.equal(session.peerName, type === "hello" ? "worker-7" : "hub");
    }
  }
});

function messageOf(fields: Fields): Message {
  const head = (fields["headers"] as [string, string][])
    .map(([name, value]) => `${name}:${value}\n`)
    .join("");
  const format = Format[fields["format"] as keyof typeof Format];
  return Message.ofBytes(Buffer.from(fields["payloadHex"] as string, "hex"), head, format);
}

function failureOf(fields: Fields): Failure {
  const details = fields["details"] as string | null;
  return {
    code: fields["code"] as Code,
    reason: fields["reason"] as string,
    message: fields["message"] as string,
    retryable: fields["retryable"] as boolean,
    details: details === null ? undefined : Buffer.from(details),
  };
}

/** Makes a session send the frame of a vector. `near` has the near ends of the streams it has opened. */
function send({ session }: Harness, vector: GoodFrame, near: Map<number, StreamEnd>): void {
  const { type, fields } = vector;
  const number = (name: string): number => fields[name] as number;
  const string = (name: string): string => fields[name] as string;
  const binding = { subject: "orders.create", registration: 0, number: 0 };
  switch (type) {
    case "goaway":
      return session.goaway(failureOf(fields));
    case "close":
      return session.fail(failureOf(fields));
    case "pong":
      return session.pong(number("id"));
    case "bind":
      return session.bindNumber(number("number"), number("registration"), string("subject"));
    case "serve":
      return session.serve(number("registration"), string("pattern"), string("queue"), number("concurrency"));
    case "subscribe":
      return session.subscribe(number("registration"), string("pattern"), string("policy") as Overflow);
    case "enable":
      return session.enable(number("registration"), string("verb") as EnabledVerb, string("pattern"));
    case "leave":
      return session.leave(number("registration"));
    case "ready":
      return session.ready(number("registration"), TYPES[string("asked")] as FrameType);
    case "refused":
      return session.refuse(number("registration"), failureOf(fields));
    case "open": {
      const message = new Message();
      message.streams = [openStream(vector, near)];
      return session.streams.carry(message, () => undefined);
    }
    case "data":
      return near.get(number("stream"))!.send(messageOf(fields));
    case "credit":
      return near.get(number("stream"))!.grant(number("bytes"));
    case "end":
      return near.get(number("stream"))!.end();
    case "reset":
      return near.get(number("stream"))!.reset(failureOf(fields));
    case "request":
      return session.request(binding, number("id"), carrying(vector, near), number("timeoutMs"));
    case "reply":
      return session.reply(number("registration"), number("id"), carrying(vector, near));
    case "error":
      return session.error(number("registration"), number("id"), failureOf(fields));
    case "cancel": {
      const why: Failure = { code: string("code") as Code, reason: "", message: "", retryable: false };
      assert.ok(why.code in CODES);
      return session.cancel(number("registration"), number("id"), why);
    }
    case "dropped":
      session.bindNumber(number("binding"), 0, binding.subject);
      return session.dropped(number("binding"), number("count"));
    case "publish":
      return session.publish(binding, messageOf(fields));
    default:
      throw new Error(`no session sends ${type} when asked`);
  }
}

/** A message of a vector, with the stream that was opened for it. */
function carrying(vector: GoodFrame, near: Map<number, StreamEnd>): Message {
  const message = messageOf(vector.fields);
  if (vector.fields["streams"] === undefined) return message;
  const open = earlier(vector).find(({ type }) => type === "open")!;
  message.streams = [openStream(open, near)];
  return message;
}

/** The far end of a stream of this shape. */
function openStream({ fields }: GoodFrame, near: Map<number, StreamEnd>): StreamEnd {
  const { sends, receives, messages } = fields as unknown as StreamShape;
  const [here, far] = createStream({ sends, receives, messages });
  near.set(fields["stream"] as number, here);
  return far;
}

const STREAMS = {
  role: "dialer",
  greeting: { "max-payload": "1048576", "max-headers": "32768", "max-streams": "9" },
} as const;

for (const vector of frames.filter(({ type }) => type !== "ping")) {
  test(`a session writes "${vector.name}" byte for byte`, async () => {
    const harness = await openHarness(vector.needs === "streams" ? STREAMS : {});
    await settled();
    const before = harness.raw.received.length;
    const near = new Map<number, StreamEnd>();
    const sent = [...earlier(vector).filter(({ needs }) => needs === "streams"), vector];
    for (const one of sent) {
      const goesAlong = one.type === "open" && sent.some(({ fields }) => "streams" in fields);
      if (!goesAlong) send(harness, one, near); // a message opens its streams by itself
    }
    await settled();
    const written = harness.raw.received.subarray(before).toString("hex");
    assert.equal(written, bytesBefore(vector).toString("hex") + vector.hex);
  });
}

test("a session writes the greetings byte for byte", async () => {
  const dialer = await openHarness({ role: "dialer", greeting: false, name: "worker-7" });
  await settled();
  assert.equal(dialer.raw.received.toString("hex"), vectors.frames.find(({ type }) => type === "hello")!.hex);
  const token = "s3cret.T-0_k~e+n/==";
  const withToken = await openHarness({ role: "dialer", greeting: false, name: "worker-7", token });
  await settled();
  assert.equal(
    withToken.raw.received.toString("hex"),
    vectors.frames.find(({ name }) => name === "hello with a token")!.hex,
  );
  const acceptor = await openHarness({ name: "hub" });
  assert.equal(
    acceptor.raw.received.toString("hex"),
    vectors.frames.find(({ type }) => type === "welcome")!.hex,
  );
  const enabling = await openHarness({ name: "hub", takesEnable: true });
  assert.equal(
    enabling.raw.received.toString("hex"),
    vectors.frames.find(({ name }) => name === "welcome of a hub that takes ENABLE")!.hex,
  );
});

for (const vector of vectors.malformed) {
  test(`${vector.clause}: a session closes with ${vector.closes} at "${vector.name}", cut anywhere`, async () => {
    const bytes = Buffer.from(vector.hex, "hex");
    // Long bodies are cut at their ends only: what lies between is all the same.
    const cuts = [...bytes.keys()].filter((cut) => cut < 64 || cut > bytes.length - 4);
    for (const cut of cuts) {
      const greeting = vector.state === "greeting" ? false : undefined;
      const { raw, owner, session } = await openHarness({
        role: vector.receiver,
        takesEnable: vector.needs === "enablement",
        ...(greeting === undefined ? {} : { greeting }),
      });
      raw.send(bytesBefore(vector), bytes.subarray(0, cut), bytes.subarray(cut));
      const close = await raw.next(FrameType.close);
      assert.equal(sayings(close)["reason"], vector.closes, vector.name);
      assert.notEqual(sayings(close)["message"], "", "the text says what is wrong");
      assert.equal((await owner.next("ended"))["reason"], vector.closes);
      assert.equal(raw.frames.at(-1), close, "P-16: CLOSE is the last frame");
      await raw.until(() => raw.ended);
      await owner.next("closed");
      assert.equal(session.state, "closed");
    }
  });
}

test("the frames of the vectors say what their fields say, read by other code", () => {
  for (const { name, hex, fields, type } of vectors.frames) {
    const log = new FrameLog();
    log.push(Buffer.from(hex, "hex"));
    assert.equal(log.frames.length, 1, name);
    const frame = log.frames[0]!;
    assert.equal(frame.type, TYPES[type], name);
    if (!("payloadHex" in fields)) continue;
    const { headers, payload } = bodyOf(frame, type === "request" ? 4 : 0);
    assert.deepEqual(headers, fields["headers"], name);
    assert.equal(payload.toString("hex"), fields["payloadHex"], name);
  }
});

test("every frame type has a vector", () => {
  const covered = new Set(vectors.frames.map(({ type }) => type));
  assert.deepEqual([...covered].toSorted(), Object.keys(FrameType).toSorted());
});
