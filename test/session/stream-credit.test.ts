/** What the ends of a session's streams may send, and what happens to those that send more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../../src/message/failure.ts";
import { Message, type StreamEnd } from "../../src/message/message.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { settled, type Harness } from "./harness.ts";
import {
  CHANNEL,
  GREETING,
  carrying,
  closesWith,
  control,
  data,
  holder,
  open,
  harnessOf,
  taking,
} from "./stream-harness.ts";

test("P-114: a sender of bytes has the credit it was granted and no byte more", async () => {
  const harness = await harnessOf({ limits: { payload: 65_536 } }, open(1), taking(1));
  harness.raw.send(data(1, Buffer.alloc(10_000)), data(1, Buffer.alloc(6_384)));
  await settled();
  harness.owner.streams.get(1)!.grant(100);
  await settled();
  assert.equal((await harness.raw.next(FrameType.credit)).id, 100);
  harness.raw.send(data(1, Buffer.alloc(100)));
  await settled();
  assert.equal(harness.owner.count("data"), 3);
  await closesWith(harness, "BAD_FRAME", data(1, "x"));
});

test("P-114: a message may overdraw the credit once, and empty ones are not free", async () => {
  const large = await harnessOf({ limits: { payload: 65_536 } }, open(1, CHANNEL), taking(1));
  large.raw.send(data(1, Buffer.alloc(60_000)));
  await settled();
  assert.equal(large.owner.count("data"), 1);
  large.owner.streams.get(1)!.grant(60_000 + 256 - 16_384);
  await closesWith(large, "BAD_FRAME", data(1, ""));
  const small = await harnessOf({}, open(1, CHANNEL), taking(1));
  small.raw.send(...Array.from({ length: 64 }, () => data(1, "")));
  await settled();
  assert.equal(small.owner.count("data"), 64);
  await closesWith(small, "BAD_FRAME", data(1, ""));
});

test("P-114: CREDIT without end is added up while nobody listens, and harms nobody", async () => {
  const { raw, session, owner } = await harnessOf({}, open(1));
  const before = process.memoryUsage().heapUsed;
  const flood = Buffer.concat(Array.from({ length: 1_000 }, () => control(FrameType.credit, 1, 0x7fff_ffff)));
  for (let round = 0; round < 100; round++) raw.send(flood);
  await settled();
  const grown = process.memoryUsage().heapUsed - before;
  assert.ok(grown < 16_000_000, `${grown} bytes for 100,000 CREDITs`);
  raw.send(taking(1));
  await settled();
  assert.equal(session.state, "open");
  assert.deepEqual(
    owner.events.filter(({ event }) => event === "credit").map(({ bytes }) => bytes),
    [1_048_576],
  );
});

test("single bytes that nobody has read yet are joined", async () => {
  const { raw, owner } = await harnessOf({}, open(1));
  const all = Buffer.from(Array.from({ length: 16_384 }, (_, index) => index % 251));
  raw.send(Buffer.concat([...all].map((byte) => data(1, Uint8Array.of(byte)))), taking(1));
  await settled();
  const chunks = owner.events.filter(({ event }) => event === "data");
  assert.ok(chunks.length <= 4, `${chunks.length} chunks`);
  assert.equal(chunks.map(({ payloadHex }) => payloadHex as string).join(""), all.toString("hex"));
});

/** Streams of bytes that this end opens and sends on, and what their holder has heard of credit. */
function senders(session: Harness["session"], count: number): { end: StreamEnd; credit: () => number }[] {
  const pairs = Array.from({ length: count }, () =>
    createStream({ sends: true, receives: false, messages: false }),
  );
  session.reply(0, 1, carrying(...pairs.map(([, far]) => far)));
  return pairs.map(([end]) => {
    let credit = 16_384;
    end.listen(holder({ granted: (bytes) => (credit += bytes) }));
    return { end, credit: () => credit };
  });
}

const MIB = 1_048_576;
const SHARED = 33_554_432;

test("P-118: what all streams may send ahead is bounded; as some is sent, the rest of the credit is handed on", async () => {
  const count = 40;
  const greeting = { ...GREETING, "max-payload": String(MIB), "max-streams": String(count) };
  const { session, raw } = await harnessOf({ greeting, deaf: true });
  const ignore = (): void => undefined;
  raw.connection.open({ data: ignore, drained: ignore, closed: ignore });
  const streams = senders(session, count);
  for (let index = 0; index < count; index++) raw.send(control(FrameType.credit, 2 + 2 * index, MIB));
  await settled();
  const granted = (): number => streams.reduce((sum, { credit }) => sum + credit() - 16_384, 0);
  assert.equal(granted(), SHARED);
  for (const { end, credit } of streams) {
    assert.ok(credit() >= 16_384, "everybody has what a stream begins with");
    let sent = 0;
    while (sent < credit()) {
      const size = credit() - sent;
      end.send(Message.ofBytes(new Uint8Array(size)));
      sent += size;
      await settled();
    }
    assert.equal(sent, MIB + 16_384);
  }
  assert.equal(granted(), count * MIB);
  assert.equal(session.state, "open");
});

test("P-118: a stream that ends gives back what it did not send; one that is granted too much gets its share", async () => {
  const { session, raw } = await harnessOf();
  const [greedy, other] = senders(session, 2);
  raw.send(control(FrameType.credit, 2, 0x7fff_ffff), control(FrameType.credit, 4, MIB));
  await settled();
  assert.equal(greedy!.credit(), MIB + 16_384);
  assert.equal(other!.credit(), MIB + 16_384);
  const all = senders(session, 8);
  for (let index = 0; index < 8; index++) raw.send(control(FrameType.credit, 6 + 2 * index, MIB));
  greedy!.end.reset(failure("CALLER_GONE"));
  await settled();
  assert.ok(all.every(({ credit }) => credit() === MIB + 16_384));
});

test("P-117: bytes that wait for streams are no failure to read, not even when the streams are over", async () => {
  const { session } = await harnessOf({ deaf: true, greeting: { ...GREETING, "max-streams": "100" } });
  const streams = senders(session, 100);
  // As if each had been granted a window.
  const chunk = Message.ofBytes(new Uint8Array(MIB / 4));
  for (const { end } of streams) end.send(chunk);
  assert.ok(session.outbox.queued > 20 * MIB);
  for (const { end } of streams) end.reset(failure("CALLER_GONE"));
  session.cancel(0, 1, failure("CALLER_GONE"));
  assert.equal(session.streams.size, 0);
  assert.equal(session.state, "open");
  session.abort(failure("CLOSED"));
});
