import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hub } from "../../../src/hub/hub.ts";
import { connect } from "../../../src/peer/connect.ts";
import { FrameType } from "../../../src/wire/frame.ts";
import { bodyOf, sayings, subscribeBytes, withHeaders } from "../../wire/frame-bytes.ts";
import { Watched } from "../../wire/watched.ts";
import { LinkLog, startHub, startPeer } from "../../engine/remote/harness.ts";
import { hubOnTcp, RawClient, type RawHarness } from "./raw-client.ts";

const BUFFER = 262_144;
const SIZE = 16_384;
const [NEWEST, OLDEST, DISCONNECT] = [0, 1, 2];

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function payload(index: number): Buffer {
  const bytes = Buffer.alloc(SIZE);
  bytes.writeUInt32LE(index);
  return bytes;
}

/** A client that has subscribed and reads nothing any more. */
async function deafSubscriber(
  harness: RawHarness,
  ...subscriptions: readonly (readonly [pattern: string, policy: number])[]
): Promise<RawClient> {
  const client = await RawClient.greeted(harness.port);
  for (const [index, [pattern, policy]] of subscriptions.entries()) {
    client.send(subscribeBytes(index + 1, pattern, policy));
  }
  await client.until(() => client.of(FrameType.ready).length === subscriptions.length);
  client.socket.pause();
  return client;
}

/** Publishes numbered publications, a few each turn, until it is enough. Returns how many. */
async function publishUntil(hub: Hub, subject: string, enough: () => boolean, from = 0): Promise<number> {
  let index = from;
  while (!enough()) {
    for (let burst = 0; burst < 8; burst++) void hub.publish(subject, payload(index++));
    await nextTurn();
  }
  return index;
}

/** What a client was told, in order: subjects with numbers of publications, and how many are missing. */
function told(client: RawClient): string[] {
  const bound = new Map<number, string>();
  const events: string[] = [];
  for (const frame of client.frames) {
    if (frame.type === FrameType.bind) bound.set(frame.target, frame.body.toString());
    const subject = bound.get(frame.target);
    if (frame.type === FrameType.publish) events.push(`${subject} ${bodyOf(frame).payload.readUInt32LE()}`);
    if (frame.type === FrameType.dropped) events.push(`${subject} misses ${frame.id}`);
  }
  return events;
}

function range(subject: string, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `${subject} ${from + index}`);
}

/** Where the first gap is, and how many it says are missing. */
function gapIn(events: readonly string[]): [at: number, missing: number] {
  const at = events.findIndex((event) => event.includes("misses"));
  return [at, Number(events[at]?.split(" ").at(-1))];
}

test("P-61, P-65: drop-newest drops what is new, and says where and how many", async () => {
  await using harness = await hubOnTcp({ sessionBuffer: BUFFER });
  const client = await deafSubscriber(harness, ["a", NEWEST]);
  const count = await publishUntil(harness.hub, "a", () => harness.hub.stats().droppedNewest >= 50);
  client.socket.resume();
  await client.next(FrameType.dropped);
  void harness.hub.publish("a", payload(count));
  await client.until(() => told(client).at(-1) === `a ${count}`);
  const [at, missing] = gapIn(told(client));
  assert.deepEqual(told(client), [...range("a", 0, at), `a misses ${missing}`, `a ${count}`]);
  assert.equal(at + missing, count);
  const { droppedNewest, droppedOldest, droppedPublications, slowDisconnects } = harness.hub.stats();
  assert.deepEqual(
    [droppedNewest, droppedOldest, droppedPublications, slowDisconnects],
    [missing, 0, missing, 0],
  );
  client.socket.destroy();
});

test("P-61, P-65: drop-oldest keeps the newest, in order and within its bound, after the gap", async () => {
  await using harness = await hubOnTcp({ sessionBuffer: BUFFER });
  const client = await deafSubscriber(harness, ["a", OLDEST]);
  const count = await publishUntil(harness.hub, "a", () => harness.hub.stats().droppedOldest >= 50);
  client.socket.resume();
  await client.until(() => told(client).at(-1) === `a ${count - 1}`);
  void harness.hub.publish("a", payload(count));
  await client.until(() => told(client).at(-1) === `a ${count}`);
  const [at, missing] = gapIn(told(client));
  assert.deepEqual(told(client), [
    ...range("a", 0, at),
    `a misses ${missing}`,
    ...range("a", at + missing, count + 1),
  ]);
  const kept = count - at - missing;
  assert.ok(kept > 0 && kept <= BUFFER / SIZE, `${kept} were kept`);
  assert.equal(harness.hub.stats().droppedOldest, missing);
  assert.equal(harness.hub.stats().droppedPublications, missing);
  client.socket.destroy();
});

test("P-61: small publications in a backlog are bounded as well", async () => {
  await using harness = await hubOnTcp({ sessionBuffer: BUFFER });
  const client = await deafSubscriber(harness, ["big", NEWEST], ["small.*", OLDEST]);
  await publishUntil(harness.hub, "big", () => harness.hub.stats().droppedNewest > 0);
  // Alternating subjects: each publication is a run of its own.
  for (let index = 0; harness.hub.stats().droppedOldest < 5_000; index++) {
    void harness.hub.publish(`small.${index % 2}`, index);
  }
  client.socket.resume();
  await client.until(() => client.of(FrameType.dropped).length === 3);
  const stats = harness.hub.stats();
  await client.until(() => client.of(FrameType.publish).at(-1)!.body.length < 10);
  const small = client.of(FrameType.publish).filter(({ body }) => body.length < 10).length;
  assert.ok(small > 100 && small <= BUFFER / 256, `${small} were kept`);
  const missing = client.of(FrameType.dropped).reduce((sum, { id }) => sum + id, 0);
  assert.equal(missing, stats.droppedOldest + stats.droppedNewest);
  client.socket.destroy();
});

test("P-61: disconnect ends a session that never reads, though CLOSE does not arrive; others get everything", async () => {
  await using harness = await hubOnTcp({ sessionBuffer: BUFFER });
  const client = await deafSubscriber(harness, ["a", DISCONNECT]);
  const { peer } = await startPeer(harness.url);
  const got = new Watched();
  let next = 0;
  await peer.subscribe<Uint8Array>("a", (bytes) => {
    assert.equal(Buffer.from(bytes).readUInt32LE(), next++);
    got.changed();
  });
  const count = await publishUntil(harness.hub, "a", () => harness.sessions.closed.length > 0);
  await got.until(() => next === count);
  assert.equal(harness.sessions.closed[0]?.reason, "SLOW_CONSUMER");
  assert.equal(harness.hub.stats().slowDisconnects, 1);
  assert.equal(harness.hub.stats().droppedPublications, 0);
  client.socket.destroy();
  await peer.close();
});

test("P-16, P-61: a slow session that reads on gets everything up to the CLOSE, without a gap", async () => {
  await using harness = await hubOnTcp({ sessionBuffer: BUFFER });
  const client = await deafSubscriber(harness, ["a", DISCONNECT]);
  let count = 0;
  while (!client.ended) {
    for (let burst = 0; burst < 8; burst++) void harness.hub.publish("a", payload(count++));
    await nextTurn();
    if (count * SIZE > 64 * BUFFER) client.socket.resume();
  }
  assert.equal(sayings(client.of(FrameType.close).at(-1)!)["reason"], "SLOW_CONSUMER");
  const events = told(client);
  assert.deepEqual(events, range("a", 0, events.length));
  assert.ok(events.length < count);
});

test("P-60, P-61: one copy by the highest policy, and nothing overtakes a backlog", async () => {
  await using harness = await hubOnTcp({ sessionBuffer: BUFFER });
  const { hub } = harness;
  const client = await deafSubscriber(harness, ["x.>", NEWEST], ["x.kept", OLDEST], ["x.*", NEWEST]);
  await publishUntil(hub, "x.new", () => hub.stats().droppedNewest > 0);
  for (let index = 0; index < 3; index++) {
    void hub.publish("x.kept", payload(index));
    void hub.publish("x.new", payload(1_000_000));
  }
  assert.equal(hub.stats().droppedOldest, 0);
  client.socket.resume();
  await client.until(() => told(client).at(-1) === "x.kept 2");
  void hub.publish("x.new", payload(7));
  await client.until(() => told(client).at(-1) === "x.new 7");
  const events = told(client);
  const [at] = gapIn(events);
  assert.deepEqual(events.slice(at), [
    `x.new misses ${hub.stats().droppedNewest}`,
    "x.kept 0",
    "x.kept 1",
    "x.kept 2",
    "x.new 7",
  ]);
  assert.ok(!events.includes("x.new 1000000"));
  client.socket.destroy();
});

test("P-51: a policy nobody knows is refused, and the session goes on", async () => {
  await using harness = await hubOnTcp();
  const client = await RawClient.greeted(harness.port);
  client.send(subscribeBytes(1, "a", 3), subscribeBytes(2, "b", 2));
  await client.next(FrameType.ready);
  assert.deepEqual(
    client.of(FrameType.refused).map((frame) => [frame.id, sayings(frame)["code"]]),
    [[1, "unimplemented"]],
  );
  client.socket.destroy();
});

test("P-64, P-65: a peer is told what it has missed", async () => {
  const hub = await startHub("tcp://127.0.0.1:0", { limits: { sessionBuffer: BUFFER } });
  const small = await startPeer(hub.urls[0]!, { limits: { payload: 1_000 } });
  const heard = new Watched();
  const values: unknown[] = [];
  const listen = (value: unknown): void => {
    values.push(value);
    heard.changed();
  };
  const subscription = await small.peer.subscribe("a.*", listen);
  const other = await small.peer.subscribe("b", listen);
  void hub.publish("a.x", "x".repeat(2_000));
  void hub.publish("a.y", "y".repeat(2_000));
  void hub.publish("a.x", "end");
  await heard.until(() => values.includes("end"));
  assert.deepEqual([subscription.dropped, other.dropped], [2, 0]);
  assert.equal(hub.stats().droppedTooLarge, 2);
  await small.peer.close();
  await hub.close();
});

test("P-61: a subscription that must not miss anything ends with its session, and the others are back", async () => {
  const hub = await startHub("tcp://127.0.0.1:0", { limits: { sessionBuffer: BUFFER } });
  const link = new LinkLog();
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push((error as { reason: string }).reason);
  const peer = await connect(hub.urls[0]!, { onState: link.onState, onError });
  const values: unknown[] = [];
  const strict = await peer.subscribe("c", () => undefined, { overflow: "disconnect" });
  const other = await peer.subscribe("d", (value) => values.push(value));
  // One turn of the loop: the peer, in the same process, cannot read meanwhile.
  for (let index = 0; index < 2_000; index++) {
    void hub.publish("c", payload(index));
    void hub.publish("nobody", 1); // a run of its own each
  }
  await link.reached("connected", 2);
  await assert.rejects(strict.closed, { code: "resource_exhausted", reason: "SLOW_CONSUMER" });
  assert.deepEqual(errors, ["SLOW_CONSUMER"]);
  assert.equal(hub.stats().slowDisconnects, 1);
  while (values.length === 0) {
    void hub.publish("d", "again"); // until it is subscribed again
    await nextTurn();
  }
  await strict.close();
  await other.close();
  await other.closed;
  // A peer that says so itself is not counted: it may say what it likes.
  const liar = await RawClient.greeted(Number(new URL(hub.urls[0]!).port));
  liar.send(withHeaders({ type: FrameType.close }, { code: "resource_exhausted", reason: "SLOW_CONSUMER" }));
  await liar.until(() => liar.ended);
  while (hub.stats().sessions > 1) await nextTurn();
  assert.equal(hub.stats().slowDisconnects, 1);
  await peer.close();
  await hub.close();
});
