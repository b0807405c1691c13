import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { connect } from "../../../src/peer/connect.ts";
import { FrameType } from "../../../src/wire/frame.ts";
import { bindBytes, requestBytes, serveBytes, subscribeBytes } from "../../wire/frame-bytes.ts";
import { Watched } from "../../wire/watched.ts";
import { hubOnTcp, RawClient } from "./raw-client.ts";

const MEBIBYTE = 1_048_576;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void; // what the flag adds to every context

/** Bytes in buffers that something still holds. The platform frees them in the background: it is asked a few times. */
async function held(): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 4; round++) {
    collectGarbage();
    await nextTurn();
    least = Math.min(least, process.memoryUsage().arrayBuffers);
  }
  return least;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("P-14: 200 connections that say nothing are closed with the reason, others are served meanwhile", async () => {
  await using harness = await hubOnTcp({ helloTimeout: 300 });
  const silent = await Promise.all(Array.from({ length: 200 }, () => RawClient.dial(harness.port)));
  const peer = await connect(harness.url);
  await peer.serve("echo", (value) => value);
  assert.equal(await peer.request("echo", 1), 1);
  const reasons = await Promise.all(silent.map((client) => client.closeReason()));
  assert.deepEqual(new Set(reasons), new Set(["HEARTBEAT_LOST"]));
  assert.equal(await peer.request("echo", 2), 2);
  await harness.sessions.until(() => harness.sessions.closed.length === 200);
  assert.equal(harness.hub.stats().sessions, 1);
  await peer.close();
});

test("a hub that has all the sessions it takes tells newcomers so", async () => {
  await using harness = await hubOnTcp({ sessions: 3 });
  const clients = await Promise.all(Array.from({ length: 3 }, () => RawClient.greeted(harness.port)));
  assert.equal(await (await RawClient.dial(harness.port)).closeReason(), "TOO_MANY");
  await assert.rejects(connect(harness.url, { timeoutMs: 200 }), { reason: "TOO_MANY" });
  clients[0]!.socket.destroy();
  await harness.sessions.until(() => harness.hub.stats().sessions < 3);
  const late = await RawClient.greeted(harness.port);
  late.socket.destroy();
  for (const { socket } of clients) socket.destroy();
});

test("P-61, P-80: a subscriber that never reads: dropped, then disconnected; others get everything", async () => {
  await using harness = await hubOnTcp({
    sessionBuffer: MEBIBYTE,
    heartbeat: 1_000,
    heartbeatTimeout: 1_000,
  });
  const deaf = await RawClient.greeted(harness.port);
  deaf.send(subscribeBytes(1, "flood"));
  await deaf.next(FrameType.ready);
  deaf.socket.pause();
  const peer = await connect(harness.url);
  const got = new Watched();
  let count = 0;
  await peer.subscribe("flood", () => {
    count++;
    got.changed();
  });
  const payload = Buffer.alloc(16_384, 1);
  const before = await held();
  let most = 0;
  const total = 4_000; // 64 MiB
  for (let index = 1; index <= total; index++) {
    void harness.hub.publish("flood", payload);
    if (index % 20 > 0) continue;
    await got.until(() => count === index);
    if (index % 400 === 0) most = Math.max(most, (await held()) - before);
  }
  assert.equal(count, total);
  assert.ok(most < 6 * MEBIBYTE, `${most} bytes were held for a subscriber that does not read`);
  await harness.sessions.until(() => harness.sessions.closed.length > 0);
  assert.equal(harness.sessions.closed[0]?.reason, "HEARTBEAT_LOST");
  assert.equal(harness.hub.stats().sessions, 1);
  deaf.socket.destroy();
  await peer.close();
});

test("P-62: a caller that never reads its answers is not read, then ended, and told why; others are served", async () => {
  await using harness = await hubOnTcp({ sessionBuffer: 200_000, stallTimeout: 300 });
  const { hub, errors } = harness;
  const peer = await connect(harness.url);
  const answer = Buffer.alloc(50_000, 1);
  await peer.serve("big", () => answer);
  const deaf = await RawClient.greeted(harness.port);
  deaf.send(bindBytes(1, "big"));
  deaf.socket.pause();
  const before = await held();
  let most = 0;
  for (let id = 1; hub.stats().slowDisconnects === 0; id++) {
    if (id < 5_000) deaf.send(requestBytes(1, id));
    if (id % 10 > 0) continue;
    await nextTurn();
    if (id < 2_000) most = Math.max(most, (await held()) - before);
  }
  deaf.socket.resume();
  assert.equal(await deaf.closeReason(), "SLOW_CONSUMER");
  await harness.sessions.until(() => harness.sessions.closed.length > 0);
  assert.equal(harness.sessions.closed[0]?.reason, "SLOW_CONSUMER");
  assert.ok(most < 6 * MEBIBYTE, `${most} bytes were held`);
  assert.deepEqual(
    errors.map(({ error, where }) => [(error as { reason: string }).reason, where.replace(/\d+$/, "")]),
    [["SLOW_CONSUMER", "the session of tcp://127.0.0.1:"]],
  );
  assert.ok(answer.equals(await peer.request<Uint8Array>("big")));
  assert.equal(hub.stats().inFlight, 0, "what it asked for is withdrawn");
  await peer.close();
});

test("P-62, P-47: a worker that never reads is sent no more than fits, and is ended; its requests fail at once", async () => {
  await using harness = await hubOnTcp({ sessionBuffer: 200_000, stallTimeout: 300 });
  const deaf = await RawClient.greeted(harness.port);
  deaf.send(serveBytes(1, "work", "", 100_000));
  await deaf.next(FrameType.ready);
  deaf.socket.pause();
  const peer = await connect(harness.url);
  await peer.serve("other", () => "served");
  const payload = Buffer.alloc(50_000, 1);
  const outcomes = Array.from({ length: 400 }, () =>
    peer.request("work", payload, { timeoutMs: 20_000 }).then(
      () => "answered",
      (error: { reason: string }) => error.reason,
    ),
  );
  assert.equal(await peer.request("other"), "served");
  const counts = new Map<string, number>();
  for (const reason of await Promise.all(outcomes)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  assert.deepEqual([...counts.keys()].toSorted(), ["NO_RESPONDERS", "WORKER_LOST"]);
  assert.ok(counts.get("WORKER_LOST")! < 300, "what it was not sent has not been executed");
  deaf.socket.destroy();
  await peer.close();
});

test("P-66: a caller that does not read keeps others from their answers no longer than the stall timeout", async () => {
  const stallTimeout = 500;
  await using harness = await hubOnTcp({ sessionBuffer: 200_000, sessionBuffers: 300_000, stallTimeout });
  const worker = await connect(harness.url);
  const answer = Buffer.alloc(50_000, 1);
  await worker.serve("big", () => answer);
  await worker.serve("small", () => "ok");
  const other = await connect(harness.url);
  const deaf = await RawClient.greeted(harness.port);
  deaf.send(bindBytes(1, "big"));
  deaf.socket.pause();
  for (let id = 1; id <= 250; id++) deaf.send(requestBytes(1, id));
  const before = await held();
  let most = 0;
  let slowest = 0;
  while (harness.hub.stats().slowDisconnects === 0) {
    const asked = performance.now();
    assert.equal(await other.request("small"), "ok");
    slowest = Math.max(slowest, performance.now() - asked);
    most = Math.max(most, (await held()) - before);
  }
  assert.ok(slowest < 3 * stallTimeout, `an answer took ${slowest} ms`);
  assert.ok(most < 8 * MEBIBYTE, `${most} bytes were held`);
  assert.equal(await other.request("small"), "ok");
  deaf.socket.destroy();
  await Promise.all([worker.close(), other.close()]);
});
