/** What a session does with bypasses, in any order in which bypasses, frames and bytes may come, good or not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { failure } from "../../src/message/failure.ts";
import { Message, type StreamEnd } from "../../src/message/message.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { bindBytes, frameBytes, sayings, timeoutPrefix } from "../wire/frame-bytes.ts";
import { vectors } from "../wire/vectors.ts";
import { HandBypass, HandBypasses } from "./hand-bypasses.ts";
import { openHarness, settled, type Harness, type HarnessOptions } from "./harness.ts";

const GREETING = {
  "max-payload": "1048576",
  "max-headers": "16384",
  "max-streams": "100",
  "max-bypasses": "3",
};
const [USED, WANTED] = [0, 1];

interface BypassHarness extends Harness {
  readonly bypasses: HandBypasses;
}

/** A session with a request that carries stream 1, opened by the other end, both ways. */
async function harnessOf(role: "acceptor" | "dialer", options: HarnessOptions = {}): Promise<BypassHarness> {
  const bypasses = new HandBypasses();
  const harness = await openHarness({ greeting: GREETING, role, bypasses, ...options });
  const number = role === "acceptor" ? 1 : 2;
  harness.raw.send(
    bindBytes(1, "a"),
    frameBytes({ type: FrameType.open, target: number, aux: 3 }),
    frameBytes({ type: FrameType.request, target: 1, id: 1, flags: 4, body: timeoutPrefix(1_000) }),
  );
  await settled();
  return { ...harness, bypasses };
}

/** Sends so much on the stream that it wants a bypass. The other end has granted it. */
async function fill({ owner, raw }: BypassHarness, number: number): Promise<StreamEnd> {
  raw.send(frameBytes({ type: FrameType.credit, target: number, id: 100_000 }));
  await settled();
  const end = owner.streams.get(number)!;
  end.send(Message.ofBytes(new Uint8Array(66_000)));
  await settled();
  return end;
}

const bypass = (target: number, id: number): Buffer => frameBytes({ type: FrameType.bypass, target, id });
const data = (target: number, size: number): Buffer =>
  frameBytes({ type: FrameType.data, flags: 1, target, body: new Uint8Array(size) });
const control = (type: number, target: number, id = 0): Buffer => frameBytes({ type, target, id });

async function breaks(harness: Harness, ...sent: Buffer[]): Promise<void> {
  harness.raw.send(...sent);
  assert.equal(sayings(await harness.raw.next(FrameType.close))["reason"], "BAD_FRAME");
}

describe("sending", () => {
  test("P-131: bypasses are announced where there are some, and none is asked for where the other end has none", async () => {
    const { raw } = await harnessOf("acceptor");
    assert.equal(sayings(await raw.next(FrameType.welcome))["max-bypasses"], "5");
    const { "max-bypasses": _none, ...others } = GREETING;
    const without = await harnessOf("acceptor", { greeting: others });
    await fill(without, 1);
    assert.equal(without.raw.of(FrameType.bypass).length, 0);
    assert.equal(without.bypasses.onBypass(1, false, new HandBypass()), false);
    await breaks(without, bypass(1, USED));
  });

  test("P-132: a dialer opens a bypass for a stream that has sent a lot, and says when it uses it", async () => {
    const harness = await harnessOf("dialer");
    const { bypasses, raw, owner } = harness;
    const end = await fill(harness, 2);
    assert.deepEqual(
      bypasses.asked.map(({ number, sends }) => [number, sends]),
      [[2, true]],
    );
    end.send(Message.ofBytes(new Uint8Array(1_000)));
    const mine = new HandBypass();
    bypasses.asked[0]!.opened(mine);
    end.send(Message.ofBytes(new Uint8Array(70_000)));
    end.end();
    await settled();
    const frames = raw.frames.filter(({ type }) => type >= FrameType.open).map(({ type, id }) => [type, id]);
    assert.deepEqual(frames.slice(-3), [
      [FrameType.data, 0],
      [FrameType.bypass, USED],
      [FrameType.end, 70_000], // P-135
    ]);
    assert.deepEqual([mine.sent, mine.state, bypasses.asked.length], [70_000, "ended", 1]);
    const { hex } = vectors.frames.find(({ name }) => name === "bypass, used")!;
    assert.equal(bypass(1, USED).toString("hex"), hex);
    // P-134: what may be sent ahead of a bypass is what it grants, now and whenever it has taken it.
    const granted = owner.events.filter(({ event }) => event === "credit").map(({ bytes }) => bytes);
    const left = 16_384 + 100_000 - 67_000;
    assert.deepEqual(granted, [100_000, 262_144 - left, 70_000]);
  });

  test("P-133: an acceptor asks for a bypass once, and uses the one that comes", async () => {
    const harness = await harnessOf("acceptor");
    const { bypasses, raw } = harness;
    const unasked = new HandBypass();
    assert.equal(bypasses.onBypass(1, true, unasked), false);
    const end = await fill(harness, 1);
    end.send(Message.ofBytes(new Uint8Array(1_000)));
    const mine = new HandBypass();
    assert.equal(bypasses.onBypass(1, true, mine), true);
    assert.equal(bypasses.onBypass(1, true, new HandBypass()), false, "one is enough");
    assert.equal(bypasses.onBypass(3, true, new HandBypass()), false, "there is no such stream");
    await settled();
    assert.deepEqual(
      raw.of(FrameType.bypass).map(({ target, id }) => [target, id]),
      [
        [1, WANTED],
        [1, USED],
      ],
    );
    end.send(Message.ofBytes(new Uint8Array(5)));
    assert.equal(mine.sent, 5);
  });

  test("P-134: a bypass that is full grants nothing until there is room; CREDIT that crossed BYPASS counts for nothing", async () => {
    const harness = await harnessOf("dialer");
    const { bypasses, raw, owner } = harness;
    const end = await fill(harness, 2);
    const mine = new HandBypass();
    bypasses.asked[0]!.opened(mine);
    const before = owner.count("credit");
    mine.isFull = true;
    end.send(Message.ofBytes(new Uint8Array(200_000)));
    assert.equal(end.ready(), false);
    raw.send(control(FrameType.credit, 2, 5));
    await settled();
    assert.equal(owner.count("credit"), before);
    mine.handler!.drained();
    assert.equal(end.ready(), true);
    assert.equal(owner.last("credit")!["bytes"], 200_000);
    assert.equal(owner.last("writable")!["stream"], 2);
  });

  test("P-136: a bypass that is lost resets its stream; after END nobody minds", async () => {
    const harness = await harnessOf("dialer");
    const end = await fill(harness, 2);
    const mine = new HandBypass();
    harness.bypasses.asked[0]!.opened(mine);
    end.send(Message.ofBytes(new Uint8Array(5)));
    mine.abort();
    assert.equal(harness.owner.last("reset")!["reason"], "CONNECTION_LOST");
    assert.equal(sayings(await harness.raw.next(FrameType.reset))["reason"], "CONNECTION_LOST");
    assert.equal(harness.session.streams.size, 0);

    const other = await harnessOf("dialer");
    const ending = await fill(other, 2);
    const theirs = new HandBypass();
    other.bypasses.asked[0]!.opened(theirs);
    ending.end();
    theirs.handler!.closed();
    await settled();
    assert.equal(other.raw.of(FrameType.reset).length, 0);
  });

  test("a bypass that comes too late, for a stream that has ended, is given up", async () => {
    const harness = await harnessOf("dialer");
    const end = await fill(harness, 2);
    end.end();
    const late = new HandBypass();
    harness.bypasses.asked[0]!.opened(late);
    assert.equal(late.state, "aborted");
    await settled();
    assert.equal(harness.raw.of(FrameType.bypass).length, 0);
  });
});

describe("receiving", () => {
  /** Stream 1, whose bypass is there. */
  const receiving = async (): Promise<BypassHarness & { readonly bypass: HandBypass }> => {
    const harness = await harnessOf("acceptor");
    const theirs = new HandBypass();
    assert.equal(harness.bypasses.onBypass(1, false, theirs), true);
    assert.equal(theirs.going, false, "P-134: nothing is read before BYPASS");
    return { ...harness, bypass: theirs };
  };
  const received = ({ owner }: Harness): number =>
    owner.events
      .filter(({ event }) => event === "data")
      .reduce((sum, { payloadHex }) => sum + (payloadHex as string).length / 2, 0);

  test("P-134: bytes come as fast as the reader grants, and without CREDIT", async () => {
    const harness = await receiving();
    const { raw, owner, bypass: theirs } = harness;
    raw.send(data(1, 16_000), bypass(1, USED));
    await settled();
    theirs.arrive(10_000);
    assert.deepEqual([received(harness), theirs.going], [16_384, false]);
    owner.streams.get(1)!.grant(10_000);
    assert.deepEqual([received(harness), theirs.going], [26_000, true]);
    theirs.arrive(384);
    assert.deepEqual([received(harness), theirs.going], [26_384, false]);
    owner.streams.get(1)!.grant(100);
    theirs.arrive(16);
    raw.send(control(FrameType.end, 1, 10_400));
    await settled();
    assert.equal(owner.count("end"), 1);
    assert.equal(raw.of(FrameType.credit).length, 0);
  });

  test("P-135: END that comes before the bytes waits for them", async () => {
    const harness = await receiving();
    const { raw, owner, bypass: theirs } = harness;
    raw.send(bypass(1, USED), control(FrameType.end, 1, 20_000));
    await settled();
    theirs.arrive(20_000);
    assert.equal(owner.count("end"), 0, "the reader has not granted all");
    theirs.handler!.closed();
    owner.streams.get(1)!.grant(20_000);
    assert.deepEqual([received(harness), owner.count("end"), owner.count("reset")], [20_000, 1, 0]);
  });

  test("P-136: a bypass that is gone before all has come resets the stream", async () => {
    for (const order of ["closed first", "END first"] as const) {
      const { raw, owner, bypass: theirs } = await receiving();
      raw.send(bypass(1, USED));
      await settled();
      theirs.arrive(50);
      if (order === "closed first") theirs.handler!.closed();
      raw.send(control(FrameType.end, 1, 51));
      await settled();
      if (order === "END first") theirs.handler!.closed();
      assert.equal(owner.last("reset")!["reason"], "CONNECTION_LOST", order);
      assert.equal(owner.count("end"), 0);
    }
    const never = await harnessOf("acceptor");
    never.raw.send(bypass(1, USED));
    await settled();
    assert.equal(never.owner.last("reset")!["reason"], "CONNECTION_LOST", "a bypass that is not there");
  });

  test("P-133: a dialer opens the bypass that is wanted; BYPASS may come before it is there", async () => {
    const harness = await harnessOf("dialer");
    const { raw, bypasses, owner } = harness;
    raw.send(bypass(2, WANTED), bypass(2, USED));
    await settled();
    assert.deepEqual(
      bypasses.asked.map(({ number, sends }) => [number, sends]),
      [[2, false]],
    );
    const { hex } = vectors.frames.find(({ name }) => name === "bypass, wanted")!;
    assert.equal(bypass(1, WANTED).toString("hex"), hex);
    const theirs = new HandBypass();
    bypasses.asked[0]!.opened(theirs);
    theirs.arrive(7);
    assert.equal(received(harness), 7);
    await breaks(harness, bypass(2, WANTED));
    assert.equal(owner.last("reset")!["reason"], "CONNECTION_LOST");
    assert.equal(theirs.state, "aborted", "with its session");
  });

  test("P-136: whoever hears of a reset aborts the bypasses, also when resets cross", async () => {
    const { raw, owner, session, bypass: theirs } = await receiving();
    raw.send(bypass(1, USED));
    await settled();
    owner.streams.get(1)!.reset(failure("CALLER_GONE"));
    assert.equal(theirs.state, "open", "RESET must not be overtaken");
    assert.equal(theirs.going, false);
    raw.send(control(FrameType.reset, 1));
    await settled();
    assert.equal(theirs.state, "aborted");
    assert.equal(session.state, "open");
  });

  test("frames that make no sense end the session", async () => {
    for (const sent of [
      [bypass(1, USED), data(1, 5)],
      [bypass(1, USED), bypass(1, USED)],
      [bypass(1, USED), control(FrameType.end, 1, 5), control(FrameType.end, 1, 5)],
      [bypass(1, WANTED)], // P-133: only an acceptor asks
      [bypass(1, 2)],
      [bypass(9, USED)],
      [control(FrameType.end, 1), bypass(1, USED)],
    ]) {
      const harness = await receiving();
      await breaks(harness, ...sent);
      assert.equal(harness.bypass.state, "aborted");
      assert.equal(harness.bypasses.onBypass(1, false, new HandBypass()), false, "the session is over");
    }
    const channel = await harnessOf("acceptor");
    channel.raw.send(
      frameBytes({ type: FrameType.open, target: 3, aux: 7 }),
      frameBytes({ type: FrameType.request, target: 1, id: 2, flags: 4, body: timeoutPrefix(1_000) }),
    );
    await settled();
    assert.equal(
      channel.bypasses.onBypass(3, false, new HandBypass()),
      false,
      "values do not travel on bypasses",
    );
    await breaks(channel, bypass(3, USED));
  });

  test("P-137: no more bypasses than both ends take", async () => {
    const harness = await harnessOf("dialer");
    const { raw, bypasses, owner, session } = harness;
    for (let count = 0; count < 4; count++) {
      const [, far] = createStream({ sends: true, receives: true, messages: false });
      const message = Message.ofBytes(new Uint8Array(1));
      message.streams = [far];
      session.reply(0, count + 2, message);
      raw.send(bypass(2 * count + 1, WANTED));
      await settled();
    }
    assert.equal(bypasses.asked.length, 3);
    assert.equal(owner.count("ended"), 0);
    bypasses.asked[0]!.opened(undefined);
    raw.send(bypass(2, WANTED));
    await settled();
    assert.equal(bypasses.asked.length, 4, "what was not opened makes room");
  });
});
