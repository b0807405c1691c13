/** What a stream leaves to others when it moves to a bypass, and what is still there when it has ended. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../../src/message/failure.ts";
import { Message, type StreamEnd } from "../../src/message/message.ts";
import { OpenStreams } from "../../src/stream/open-streams.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { bindBytes, frameBytes, sayings, timeoutPrefix } from "../wire/frame-bytes.ts";
import { HandBypass, HandBypasses } from "./hand-bypasses.ts";
import { openHarness, settled, type Harness } from "./harness.ts";

const GREETING = {
  "max-payload": "1048576",
  "max-headers": "16384",
  "max-streams": "100",
  "max-bypasses": "3",
};
const USED = 0;
const CLOSED = failure("CLOSED");

/** A dialer whose stream 2 sends on a bypass. */
async function sending(
  endingStreams?: OpenStreams,
): Promise<Harness & { end: StreamEnd; bypass: HandBypass }> {
  const bypasses = new HandBypasses();
  const harness = await openHarness({ greeting: GREETING, role: "dialer", bypasses, endingStreams });
  const { raw, owner } = harness;
  raw.send(
    bindBytes(1, "a"),
    frameBytes({ type: FrameType.open, target: 2, aux: 2 }),
    frameBytes({ type: FrameType.request, target: 1, id: 1, flags: 4, body: timeoutPrefix(1_000) }),
    frameBytes({ type: FrameType.credit, target: 2, id: 100_000 }),
  );
  await settled();
  const end = owner.streams.get(2)!;
  end.send(Message.ofBytes(new Uint8Array(66_000)));
  const bypass = new HandBypass();
  bypasses.asked[0]!.opened(bypass);
  end.send(Message.ofBytes(new Uint8Array(1_000)));
  await settled();
  return { ...harness, end, bypass };
}

test("CLOSE waits until what has ended was read, but not for what has not ended", async () => {
  const { session, raw, owner, end, bypass } = await sending();
  end.end();
  session.close(CLOSED);
  await settled();
  assert.deepEqual([raw.of(FrameType.close).length, bypass.state, session.state], [0, "ended", "closing"]);
  assert.equal(owner.count("ended"), 1);
  raw.send(frameBytes({ type: FrameType.ping, id: 5 }));
  await settled();
  assert.equal(raw.of(FrameType.pong).length, 0, "nothing more is read");
  bypass.handler!.closed();
  assert.equal(sayings(await raw.next(FrameType.close))["reason"], "CLOSED");

  const other = await sending();
  other.session.close(CLOSED);
  assert.equal(sayings(await other.raw.next(FrameType.close))["reason"], "CLOSED");
  assert.equal(other.bypass.state, "aborted");
});

test("what is not read is not waited for any longer than for a connection's end", async () => {
  const { session, clock, owner, end } = await sending();
  end.end();
  session.close(CLOSED);
  clock.advance(2_000);
  await settled();
  assert.equal(session.state, "closed");
  assert.equal(owner.last("closed")!["reason"], "CLOSED");
});

test("what breaks the protocol is told at once", async () => {
  const { raw, end } = await sending();
  end.end();
  raw.send(frameBytes({ type: 37 }));
  assert.equal(sayings(await raw.next(FrameType.close))["reason"], "BAD_FRAME");
});

test("a stream that has ended is counted until its bypass is over", async () => {
  for (const how of ["read", "reset"] as const) {
    const ending = new OpenStreams();
    const { clock, raw, end, bypass } = await sending(ending);
    end.end();
    let isOver = false;
    const over = ending.ended(clock, 60_000).then(() => (isOver = true));
    await settled();
    assert.equal(isOver, false);
    if (how === "read") bypass.handler!.closed();
    else raw.send(frameBytes({ type: FrameType.reset, target: 2 }));
    await over;
  }
});

test("P-112, P-135: a stream counts until END, whatever is still on its bypass", async () => {
  const bypasses = new HandBypasses();
  const { raw, owner, session } = await openHarness({ greeting: GREETING, bypasses, limits: { streams: 1 } });
  const open = (number: number): Buffer[] => [
    frameBytes({ type: FrameType.open, target: number, aux: 1 }),
    frameBytes({ type: FrameType.request, target: 1, id: number, flags: 4, body: timeoutPrefix(1_000) }),
  ];
  raw.send(bindBytes(1, "a"), ...open(1));
  await settled();
  const bypass = new HandBypass();
  assert.equal(bypasses.onBypass(1, false, bypass), true);
  raw.send(
    frameBytes({ type: FrameType.bypass, target: 1, id: USED }),
    frameBytes({ type: FrameType.end, target: 1, id: 500 }),
    ...open(3),
  );
  await settled();
  assert.deepEqual([session.state, session.streams.size], ["open", 2]);
  bypass.arrive(500);
  assert.deepEqual([owner.count("end"), session.streams.size], [1, 1]);
  raw.send(...open(5));
  assert.equal(sayings(await raw.next(FrameType.close))["reason"], "BAD_FRAME", "stream 3 is still one");
});

test("what a stream had of the credit that all share goes to others when it moves", async () => {
  const bypasses = new HandBypasses();
  const { raw, owner } = await openHarness({ greeting: GREETING, role: "dialer", bypasses });
  const numbers = Array.from({ length: 40 }, (_, n) => 2 * n + 2);
  raw.send(
    bindBytes(1, "a"),
    ...numbers.map((target) => frameBytes({ type: FrameType.open, target, aux: 2 })),
    frameBytes({ type: FrameType.request, target: 1, id: 1, flags: 4, body: timeoutPrefix(1_000) }),
    ...numbers.map((target) => frameBytes({ type: FrameType.credit, target, id: 2_000_000 })),
  );
  await settled();
  const ofOthers = (): number =>
    owner.events
      .filter(({ event, stream }) => event === "credit" && stream !== 2)
      .reduce((sum, { bytes }) => sum + (bytes as number), 0);
  const byte = Message.ofBytes(new Uint8Array(1));
  owner.streams.get(2)!.send(Message.ofBytes(new Uint8Array(66_000)));
  owner.streams.get(4)!.send(byte);
  const before = ofOthers();
  bypasses.asked[0]!.opened(new HandBypass());
  owner.streams.get(4)!.send(byte);
  assert.ok(ofOthers() - before > 900_000, `${ofOthers() - before} bytes`);
});
