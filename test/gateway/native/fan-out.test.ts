import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../../src/peer/connect.ts";
import { FrameType } from "../../../src/wire/frame.ts";
import { Watched } from "../../wire/watched.ts";
import { bodyOf, helloBytes, subscribeBytes } from "../../wire/frame-bytes.ts";
import { hubOnTcp, RawClient, type RawHarness } from "./raw-client.ts";

const SHARED_NUMBERS = 32_767;

async function subscriber(harness: RawHarness, ...patterns: string[]): Promise<RawClient> {
  const client = await RawClient.greeted(harness.port);
  patterns.forEach((pattern, index) => client.send(subscribeBytes(index + 1, pattern)));
  await client.until(() => client.of(FrameType.ready).length === patterns.length);
  return client;
}

/** Subject and payload of every publication, by the numbers bound at that point of the stream. */
function heard(client: RawClient): string[] {
  const bound = new Map<number, string>();
  const told: string[] = [];
  for (const frame of client.frames) {
    if (frame.type === FrameType.bind) bound.set(frame.target, frame.body.toString());
    if (frame.type === FrameType.publish)
      told.push(`${bound.get(frame.target)} ${bodyOf(frame).payload.toString()}`);
  }
  return told;
}

function leave(...clients: RawClient[]): void {
  for (const { socket } of clients) socket.destroy();
}

test("P-60: publications on several subjects reach wildcard subscribers in order, many sessions the same bytes", async () => {
  await using harness = await hubOnTcp();
  const clients = await Promise.all(Array.from({ length: 20 }, () => subscriber(harness, "f.*")));
  const one = await subscriber(harness, "f.b");
  const peer = await connect(harness.url);
  const expected: string[] = [];
  for (let index = 0; index < 3_000; index++) {
    const subject = `f.${"abc"[(index * 7) % 3]}`;
    expected.push(`${subject} ${index}`);
    void peer.publish(subject, String(index));
    if (index % 500 === 0) await peer.request("nobody").catch(() => undefined); // a turn of the loop in between
  }
  await Promise.all(
    clients.map((client) => client.until(() => client.of(FrameType.publish).length === 3_000)),
  );
  for (const client of clients) assert.deepEqual(heard(client), expected);
  const streams = clients.map((client) =>
    Buffer.concat(client.of(FrameType.publish).map(({ body }) => body)),
  );
  assert.ok(streams.every((stream) => stream.equals(streams[0]!)));
  await one.until(() => one.of(FrameType.publish).length === 1_000);
  assert.deepEqual(
    heard(one),
    expected.filter((told) => told.startsWith("f.b ")),
  );
  leave(...clients, one);
  await peer.close();
});

test("P-60: one copy for each session, however many of its subscriptions match", async () => {
  await using harness = await hubOnTcp();
  const client = await subscriber(harness, "x.y", "x.*", "x.>", ">", "x.y");
  void harness.hub.publish("x.y", "once");
  void harness.hub.publish("end", "");
  await client.until(() => heard(client).length === 2);
  assert.deepEqual(heard(client), ["x.y once", "end "]);
  leave(client);
});

test("P-31, P-64: who takes only small messages gets those; the rest is for the others", async () => {
  await using harness = await hubOnTcp();
  const small = await RawClient.dial(harness.port);
  small.send(helloBytes({ "max-payload": "100", "max-headers": "16384" }), subscribeBytes(1, "s"));
  await small.next(FrameType.ready);
  const large = await subscriber(harness, "s");
  const sizes = [1, 100, 101, 5_000, 99, 100_000, 100, 1_000_000, 50];
  for (const size of sizes) void harness.hub.publish("s", "x".repeat(size));
  // Header blocks have a limit of their own.
  for (const size of [16_000, 20_000])
    void harness.hub.publish("s", "h", { headers: { a: "x".repeat(size) } });
  void harness.hub.publish("s", "end");
  await large.until(() => large.of(FrameType.publish).length === sizes.length + 3);
  await small.until(() => heard(small).at(-1) === "s end");
  const lengths = (client: RawClient): number[] =>
    client.of(FrameType.publish).map((frame) => bodyOf(frame).payload.length);
  assert.deepEqual(lengths(large), [...sizes, 1, 1, 3]);
  assert.deepEqual(lengths(small), [...sizes.filter((size) => size <= 100), 1, 3]);
  assert.equal(small.ended, false);
  assert.equal(harness.hub.stats().droppedTooLarge, sizes.filter((size) => size > 100).length + 1);
  leave(small, large);
});

test("P-22, P-25: more subjects than there are shared numbers are still told apart", async () => {
  await using harness = await hubOnTcp();
  const all = await subscriber(harness, "n.>");
  const count = SHARED_NUMBERS + 1_000;
  const expected: string[] = [];
  const publish = (index: number): void => {
    expected.push(`n.${index} ${index}`);
    void harness.hub.publish(`n.${index}`, String(index));
  };
  for (let index = 0; index < count; index++) {
    publish(index);
    if (index % 2_000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  // Numbers of the first subjects have been taken; they get others.
  const late = await subscriber(harness, "n.*");
  for (const index of [0, 1, 999, 1_000, count - 1, 0, 500]) publish(index);
  await all.until(() => all.of(FrameType.publish).length === expected.length);
  assert.deepEqual(heard(all), expected);
  await late.until(() => late.of(FrameType.publish).length === 7);
  assert.deepEqual(heard(late), expected.slice(-7));
  const numbers = all.of(FrameType.bind).map(({ target }) => target);
  assert.ok(Math.max(...numbers.slice(0, 40_000)) <= SHARED_NUMBERS);
  leave(all, late);
});

test("a subscription that ends takes nothing from the others", async () => {
  await using harness = await hubOnTcp();
  const stays = await subscriber(harness, "t");
  const peer = await connect(harness.url);
  const first: unknown[] = [];
  const told = new Watched();
  const subscription = await peer.subscribe("t", (value) => {
    first.push(value);
    told.changed();
  });
  for (let index = 0; index < 10; index++) void harness.hub.publish("t", `${index}`);
  await told.until(() => first.length === 10);
  await subscription.close();
  for (let index = 10; index < 20; index++) void harness.hub.publish("t", `${index}`);
  await stays.until(() => stays.of(FrameType.publish).length === 20);
  assert.deepEqual(
    heard(stays),
    Array.from({ length: 20 }, (_, index) => `t ${index}`),
  );
  assert.deepEqual(
    first,
    Array.from({ length: 10 }, (_, index) => `${index}`),
  );
  leave(stays);
  await peer.close();
});

test("a publication that cannot be written harms nobody but its publisher", async () => {
  await using harness = await hubOnTcp();
  const client = await subscriber(harness, "bad");
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  assert.throws(() => harness.hub.publish("bad", cyclic), { reason: "BAD_PAYLOAD" });
  const headers = { a: "x".repeat(70_000) };
  assert.throws(() => harness.hub.publish("bad", "", { headers }), { reason: "HEADERS_TOO_LARGE" });
  void harness.hub.publish("bad", "good");
  await client.until(() => heard(client).length === 1);
  assert.deepEqual(heard(client), ["bad good"]);
  leave(client);
});
