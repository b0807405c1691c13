/** What a session does with frames of attachments, and with what comes on its lane. Both are real unix sockets. */
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import type { Attached, Handover, Way } from "../../src/message/attached.ts";
import type { StreamEnd } from "../../src/message/message.ts";
import { canPassDescriptors } from "../../src/transport/descriptors/libc.ts";
import { frameBytes, sayings } from "../wire/frame-bytes.ts";
import {
  BYTES,
  LANE,
  LaneHarness,
  PASS,
  SOCKET,
  TAKE,
  bytesOf,
  file,
  frames,
  openFds,
  harnesses,
  type RawLane,
} from "./descriptor-harness.ts";
import { openHarness } from "./harness.ts";

const skip = canPassDescriptors() ? false : "descriptors are passed on Linux with koffi installed";

let openBefore = 0;

beforeEach(() => {
  openBefore = openFds();
});

// Nothing may be open that was not before.
afterEach(async () => {
  await Promise.all(harnesses.splice(0).map((harness) => harness.end()));
  for (let tries = 0; openFds() > openBefore && tries < 200; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(openFds() <= openBefore, `${openFds()} descriptors are open, it was ${openBefore}`);
});

/** Something to take, which is a file, and how often it was taken. */
class Offered implements Attached {
  readonly kind = "file";
  readonly fallback: boolean;
  readonly ways: Way[] = [];

  constructor(fallback = false) {
    this.fallback = fallback;
  }

  take(way: Way, then: (handover: Handover) => void): void {
    this.ways.push(way);
    if (way === "bytes") return then({ way });
    const descriptor = openSync(file, "r");
    return then({ way: "descriptor", descriptor, close: () => closeSync(descriptor) });
  }
}

const taken = (end: StreamEnd, way: Way): Promise<Handover> =>
  new Promise((resolve) => end.attached!.take(way, resolve));

test(
  "P-120, P-121: greetings say what can pass, and tokens cannot be told from each other",
  { skip },
  async () => {
    const [one, other] = [await LaneHarness.open(), await LaneHarness.open()];
    const tokens = [];
    for (const { raw } of [one, other]) {
      const said = sayings(await raw.next(2));
      assert.equal(said["attachments"], "descriptors");
      assert.match(said["lane"]!, /^[0-9a-f]{32}$/);
      tokens.push(said["lane"]);
    }
    assert.notEqual(tokens[0], tokens[1]);
    const modest = await LaneHarness.open({ attachments: "bytes" });
    assert.equal(sayings(await modest.raw.next(2))["lane"], undefined);
    const { raw } = await openHarness(); // inside the process
    assert.equal(sayings(await raw.next(2))["attachments"], "bytes");
  },
);

for (const [word, greeting] of [
  ["no word", {}],
  ["a word of a version to come", { attachments: "telepathy" }],
] as const) {
  test(`P-120: an end that says ${word} is sent plain streams`, { skip }, async () => {
    const harness = await LaneHarness.open(greeting);
    const strict = new Offered();
    assert.throws(() => harness.offer(strict), { reason: "DESCRIPTORS_UNSUPPORTED" });
    const lenient = new Offered(true);
    harness.offer(lenient);
    const open = await harness.raw.next(32);
    assert.deepEqual([open.aux, lenient.ways, strict.ways], [3, ["bytes"], []]);
  });
}

test("P-120: without a lane only what may flow as bytes is offered", { skip }, async () => {
  const harness = await LaneHarness.open({ attachments: "bytes" });
  assert.throws(() => harness.offer(new Offered()), { reason: "DESCRIPTORS_UNSUPPORTED" });
  const lenient = new Offered(true);
  harness.offer(lenient);
  assert.equal((await harness.raw.next(32)).aux, 3 | 8 | 16 | 32);
  harness.raw.send(frameBytes({ type: TAKE, target: 2, aux: 1 })); // it has not said that it can
  await frames(harness.raw, BYTES, 1);
  assert.deepEqual(lenient.ways, ["bytes"]);
});

test(
  "P-123, P-124: an acceptor asks for a lane, lets the token in and passes what was taken",
  { skip },
  async () => {
    const harness = await LaneHarness.open();
    const offered = new Offered();
    harness.offer(offered);
    await harness.raw.next(32);
    assert.deepEqual(offered.ways, [], "it is fetched when there is a lane");
    harness.raw.send(frameBytes({ type: TAKE, target: 2, aux: 1 }));
    const asked = await harness.raw.next(LANE);
    assert.equal(frameBytes({ ...asked }).toString("hex"), bytesOf("lane, wanted or open"));
    assert.deepEqual(offered.ways, []);
    const lane = await harness.openLane();
    await frames(lane, PASS, 1);
    assert.equal(lane.received.subarray(0, 16).toString("hex"), bytesOf("lane, wanted or open"));
    assert.equal(lane.of(PASS)[0]!.target, 2);
    assert.deepEqual(offered.ways, ["descriptor"]);
    assert.equal(readFileSync(lane.descriptors[0]!, "utf8"), "content");
    assert.equal(harness.session.streams.size, 0, "the stream is over");
  },
);

test("P-122, P-123: TAKE asks, and what comes is a descriptor, or bytes, or nothing", { skip }, async () => {
  const passing = await LaneHarness.open();
  const handover = taken(await passing.opened(SOCKET), "object");
  assert.equal(
    frameBytes({ ...(await passing.raw.next(TAKE)) }).toString("hex"),
    bytesOf("take, a descriptor will do"),
  );
  const lane = await passing.openLane();
  lane.pass(1, 1);
  const passed = await handover;
  assert.ok(passed.way === "descriptor");
  assert.equal(readFileSync(passed.descriptor, "utf8"), "content");
  passed.close();
  assert.equal(passing.session.streams.size, 0);

  const flowing = await LaneHarness.open();
  const end = await flowing.opened(SOCKET | 32);
  const bytes = taken(end, "bytes");
  assert.equal(
    frameBytes({ ...(await flowing.raw.next(TAKE)) }).toString("hex"),
    bytesOf("take, bytes only"),
  );
  flowing.raw.send(Buffer.from(bytesOf("bytes"), "hex"));
  assert.equal((await bytes).way, "bytes");
  assert.equal(flowing.session.streams.size, 1);
});

test("OPEN says what is offered, as the vectors do", { skip }, async () => {
  const harness = await LaneHarness.open();
  const socket = await harness.opened(Buffer.from(bytesOf("open of a socket"), "hex").readUInt16LE(6));
  assert.deepEqual([socket.attached?.kind, socket.attached?.fallback], ["socket", false]);
  const other = await LaneHarness.open();
  const lenient = await other.opened(
    Buffer.from(bytesOf("open of a file whose bytes may flow"), "hex").readUInt16LE(6),
  );
  assert.deepEqual(
    [lenient.attached?.kind, lenient.attached?.fallback, lenient.sends],
    ["file", true, false],
  );
});

for (const [wrong, clause, prepare] of [
  ["TAKE for a stream that offers nothing", "P-122", (harness) => harness.opened(3)],
  [
    "a second TAKE",
    "P-122",
    async (harness) => {
      harness.offer(new Offered());
      await harness.raw.next(32);
      harness.raw.send(
        frameBytes({ type: TAKE, target: 2, aux: 1 }),
        frameBytes({ type: TAKE, target: 2, aux: 1 }),
      );
    },
  ],
  ["TAKE for a stream that never was", "P-122", undefined],
] as [string, string, ((harness: LaneHarness) => Promise<unknown>) | undefined][]) {
  test(`${clause}: ${wrong} ends the session`, { skip }, async () => {
    const harness = await LaneHarness.open();
    await prepare?.(harness);
    harness.raw.send(frameBytes({ type: TAKE, target: 1, aux: 1 }));
    await harness.closesWith("BAD_FRAME");
  });
}

test("P-4, P-123, P-124: frames that have no place on a session end it", { skip }, async () => {
  for (const frame of [
    frameBytes({ type: PASS, target: 1 }),
    frameBytes({ type: BYTES, target: 1 }), // nobody has taken it
    frameBytes({ type: LANE }), // an acceptor opens none
  ]) {
    const harness = await LaneHarness.open();
    await harness.opened(SOCKET);
    harness.raw.send(frame);
    await harness.closesWith("BAD_FRAME");
  }
});

test("P-124: a token that is none, and a second lane, are refused", { skip }, async () => {
  const harness = await LaneHarness.open();
  const guess = await harness.dial();
  guess.send(frameBytes({ type: LANE, body: "0".repeat(32) }));
  assert.equal(sayings(await guess.next(4))["reason"], "BAD_FRAME");
  const first = await harness.openLane();
  const second = await harness.openLane();
  assert.equal(sayings(await second.next(4))["reason"], "BAD_FRAME");
  assert.equal(first.ended, false);
  assert.equal(harness.session.state, "open");
});

test("P-124: what waits for a lane that does not come goes as bytes, or not at all", { skip }, async () => {
  const harness = await LaneHarness.open();
  const offered = new Offered(true);
  harness.offer(offered);
  await harness.raw.next(32);
  harness.raw.send(frameBytes({ type: TAKE, target: 2, aux: 1 }));
  await harness.raw.next(LANE);
  harness.clock.advance(5_000);
  await frames(harness.raw, BYTES, 1);
  assert.deepEqual(offered.ways, ["bytes"]);
});

for (const [wrong, send] of [
  ["PASS without its descriptor", (lane) => lane.socket.send(frameBytes({ type: PASS, target: 1 }))],
  ["two descriptors with one PASS", (lane) => lane.pass(1, 2)],
  ["the most descriptors there can be", (lane) => lane.pass(1, 253)],
  [
    "a descriptor with half a frame, and another",
    (lane) => {
      lane.socket.send(Buffer.alloc(3), [0]);
      lane.socket.send(Buffer.alloc(3), [0]);
    },
  ],
  ["PASS for a stream that was never opened", (lane) => lane.pass(7, 1)],
  ["PASS for a stream of the other end's that nobody took", (lane) => lane.pass(3, 1)],
  ["another frame", (lane) => lane.socket.send(frameBytes({ type: 5 }), [0])],
  ["a frame with a body", (lane) => lane.socket.send(frameBytes({ type: PASS, target: 1, body: "x" }), [0])],
] as [string, (lane: RawLane) => void][]) {
  test(`P-125: ${wrong} ends the session, and every descriptor is closed`, { skip }, async () => {
    const harness = await LaneHarness.open();
    let isTaken = false;
    (await harness.opened(SOCKET)).attached!.take("descriptor", (handover) => {
      isTaken = true;
      if (handover.way === "descriptor") handover.close();
    });
    const lane = await harness.openLane();
    harness.raw.send(frameBytes({ type: 32, target: 3, aux: SOCKET }));
    await new Promise((resolve) => setImmediate(resolve));
    send(lane);
    await harness.closesWith("BAD_FRAME");
    await lane.until(() => lane.ended);
    assert.equal(isTaken, wrong.includes("most") || wrong.includes("two"), "a frame that is right counts");
  });
}

test(
  "P-125: a descriptor for a stream that is over is closed, and nothing else happens",
  { skip },
  async () => {
    const harness = await LaneHarness.open();
    const end = await harness.opened(SOCKET);
    end.attached!.take("descriptor", () => assert.fail("it was given up"));
    const lane = await harness.openLane();
    end.reset({ code: "canceled", reason: "X", message: "", retryable: false });
    await harness.raw.next(36);
    const before = openFds();
    lane.pass(1, 1);
    harness.raw.send(frameBytes({ type: 5, id: 7 }));
    await harness.raw.next(6);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(harness.session.state, "open");
    assert.equal(openFds(), before);
  },
);

test("P-126: session and lane end together", { skip }, async () => {
  const one = await LaneHarness.open();
  const lane = await one.openLane();
  one.session.fail({ code: "canceled", reason: "X", message: "", retryable: false });
  await lane.until(() => lane.ended);
  const other = await LaneHarness.open();
  (await other.openLane()).socket.abort();
  await other.closesWith("CONNECTION_LOST");
});

test("P-126: who takes and does not read the lane makes nobody hold many descriptors", { skip }, async () => {
  const harness = await LaneHarness.open();
  const lane = await harness.openLane();
  lane.socket.pause();
  const offers = Array.from({ length: 200 }, () => new Offered());
  harness.offer(...offers);
  await frames(harness.raw, 32, 200);
  const before = openFds();
  for (let stream = 2; stream <= 400; stream += 2)
    harness.raw.send(frameBytes({ type: TAKE, target: stream, aux: 1 }));
  harness.raw.send(frameBytes({ type: 5, id: 7 }));
  await harness.raw.next(6);
  assert.ok(openFds() - before <= 64, `${openFds() - before} descriptors are held`);
  assert.ok(offers.filter(({ ways }) => ways.length > 0).length < 200);
  lane.socket.resume();
  await frames(lane, PASS, 200);
  assert.deepEqual(new Set(offers.map(({ ways }) => ways.join())), new Set(["descriptor"]));
  assert.equal(lane.descriptors.length, 200);
});
