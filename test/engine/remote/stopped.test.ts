/** Processes that stand still (SIGSTOP), and networks that swallow what is sent. */
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "../../../src/message/limits.ts";
import type { Peer } from "../../../src/peer/peer.ts";
import { startProcess } from "./killed-hub.ts";
import { Cable, later, outcome, startHub, startPeer } from "./harness.ts";

const MEBIBYTE = 1_048_576;
const PAYLOAD = Buffer.alloc(65_536);
const HEARTBEAT = { heartbeat: 1_000, heartbeatTimeout: 1_000 };
/** Nothing is lost sooner: what was heard last may have come right before, and timers may be a little early. */
const NOTICED_MS = 990;

test("by default a connection that is dead is noticed within 5 s", () => {
  const { heartbeat, heartbeatTimeout } = DEFAULT_LIMITS;
  assert.ok(heartbeat + heartbeatTimeout <= 5_000);
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Publishes until it is asked to wait, and returns what it is to wait for. */
async function publishUntilFull(peer: Peer): Promise<{ waiting: Promise<void> }> {
  for (;;) {
    const waiting = peer.publish("flood", PAYLOAD);
    if (waiting !== undefined) return { waiting };
    await nextTurn();
  }
}

test("a hub that stands still: publish waits, memory is bounded, and goes on when the hub does", async () => {
  const [hub, url] = await startProcess("hub-process.js", "tcp://127.0.0.1:0");
  const { peer, link } = await startPeer(String(url), { limits: { sessionBuffer: MEBIBYTE } });
  try {
    hub.kill("SIGSTOP");
    const before = process.memoryUsage().arrayBuffers;
    let isOver = false;
    const { waiting } = await publishUntilFull(peer);
    void waiting.then(() => (isOver = true));
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    assert.equal(isOver, false);
    assert.ok(process.memoryUsage().arrayBuffers - before < 4 * MEBIBYTE);
    // Who does not wait is refused at four times the buffer, again and again, and nothing more is kept.
    let refused = 0;
    for (let index = 0; index < 2_000; index++) {
      try {
        void peer.publish("flood", PAYLOAD);
      } catch (error) {
        assert.equal((error as { reason: string }).reason, "SLOW_CONSUMER");
        refused++;
      }
    }
    assert.ok(refused > 1_900, `${refused} of 2,000 were refused`);
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * MEBIBYTE);
    hub.kill("SIGCONT");
    await waiting;
    await peer.publish("flood", PAYLOAD);
    assert.equal(await outcome(peer.request("nobody")), "NO_RESPONDERS");
    assert.deepEqual(link.states, ["connected"], "the session has outlived it");
  } finally {
    hub.kill("SIGKILL");
    await peer.close();
  }
});

test("a worker that stands still: what it holds fails, others take over, the hub is well", async () => {
  const hub = await startHub("tcp://127.0.0.1:0", { limits: HEARTBEAT });
  const [stopped] = await startProcess("worker-process.js", hub.urls[0]!);
  const { peer } = await startPeer(hub.urls[0]!);
  try {
    const other = await startPeer(hub.urls[0]!);
    await other.peer.serve("ready", () => "other");
    const held = [outcome(peer.request("stuck")), outcome(peer.request("stuck", 1, { timeoutMs: 300 }))];
    while ((await peer.request("ready")) !== "ready"); // the process has answered: the others are there as well
    stopped.kill("SIGSTOP");
    const stoppedAt = performance.now();
    assert.equal(await held[1], "DEADLINE");
    let failure: unknown;
    void held[0]!.then((reason) => (failure = reason));
    const outcomes = new Map<unknown, number>();
    while (failure === undefined) {
      await hub.request("nobody").catch(() => undefined);
      const result = await outcome(peer.request("ready", undefined, { timeoutMs: 100 }));
      outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
    }
    const took = performance.now() - stoppedAt;
    assert.equal(failure, "WORKER_LOST");
    assert.ok(took >= NOTICED_MS, `noticed after ${took} ms`);
    assert.ok(outcomes.get("other")! > 1);
    for (const result of outcomes.keys())
      assert.ok(["other", "DEADLINE", "WORKER_LOST"].includes(String(result)));
    for (let index = 0; index < 50; index++) assert.equal(await peer.request("ready"), "other");
    assert.equal(hub.stats().inFlight, 0);
    await other.peer.close();
  } finally {
    stopped.kill("SIGKILL");
    await peer.close();
    await hub.close();
  }
});

test("a half-open connection is noticed by both ends, and healed", async () => {
  const hub = await startHub("tcp://127.0.0.1:0", { limits: HEARTBEAT });
  await using cable = await Cable.to(hub.urls[0]!);
  const worker = await startPeer(cable.url, { limits: HEARTBEAT });
  const held = later<void>();
  await worker.peer.serve("slow", () => {
    held.resolve();
    return new Promise(() => undefined);
  });
  await worker.peer.serve("echo", (value) => value);
  const stuck = outcome(hub.request("slow"));
  await held.promise;
  const cutAt = performance.now();
  cable.cut();
  assert.deepEqual(await Promise.all([stuck, worker.link.reached("connecting")]), ["WORKER_LOST", undefined]);
  const noticed = performance.now() - cutAt;
  assert.ok(noticed >= NOTICED_MS, `noticed after ${noticed} ms`);
  // Attempts made now reach the cable, and nothing answers them: they must not stand in the way of those that follow.
  await cable.joined(3);
  cable.mend();
  await worker.link.reached("connected", 2);
  let answer: unknown = "NO_RESPONDERS";
  while (answer === "NO_RESPONDERS") {
    await nextTurn(); // its SERVE is on its way
    answer = await outcome(hub.request("echo", "healed"));
  }
  assert.equal(answer, "healed");
  await worker.peer.close();
  await hub.close();
});
