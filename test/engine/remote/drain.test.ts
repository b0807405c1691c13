import assert from "node:assert/strict";
import { test } from "node:test";
import type { Peer } from "../../../src/peer/peer.ts";
import { FrameType } from "../../../src/wire/frame.ts";
import {
  bindBytes,
  frameBytes,
  replyBytes,
  requestBytes,
  sayings,
  serveBytes,
} from "../../wire/frame-bytes.ts";
import { hubOnTcp, RawClient } from "../../gateway/native/raw-client.ts";
import { later, outcome, startHub, startPeer } from "./harness.ts";

/** Keeps a number of requests under way and counts what becomes of them. */
class Load {
  readonly outcomes = new Map<unknown, number>();
  #running = true;
  readonly #loops: Promise<void>[];

  constructor(peer: Peer, subject: string, atOnce: number) {
    this.#loops = Array.from({ length: atOnce }, () => this.#loop(peer, subject));
  }

  count(result: unknown): number {
    return this.outcomes.get(result) ?? 0;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  async #loop(peer: Peer, subject: string): Promise<void> {
    while (this.#running) {
      const result = await outcome(peer.request(subject, "x"));
      this.outcomes.set(result, this.count(result) + 1);
      if (result === "CONNECTION_LOST" || result === "NOT_CONNECTED") return;
    }
  }
}

async function answered(load: Load, more: number, value: unknown = "done"): Promise<void> {
  const goal = load.count(value) + more;
  while (load.count(value) < goal) await nextTurn();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function handler(): Promise<string> {
  await nextTurn();
  return "done";
}

test("a worker that drains under load: no request fails, and its peers take over", async () => {
  const hub = await startHub("tcp://127.0.0.1:0");
  const url = hub.urls[0]!;
  const caller = await startPeer(url);
  const stays = await startPeer(url);
  await stays.peer.serve("work", handler);
  const load = new Load(caller.peer, "work", 50);
  for (let round = 0; round < 10; round++) {
    const leaves = await startPeer(url);
    await leaves.peer.serve("work", handler);
    await answered(load, 100);
    await leaves.peer.drain();
    await answered(load, 20);
  }
  await load.stop();
  assert.deepEqual([...load.outcomes.keys()], ["done"]);
  assert.equal(hub.stats().workerLost, 0);
  await Promise.all([caller.peer.close(), stays.peer.close()]);
  await hub.close();
});

test("a service that leaves under load and comes back: no request fails while another serves", async () => {
  const hub = await startHub("tcp://127.0.0.1:0");
  const caller = await startPeer(hub.urls[0]!);
  const worker = await startPeer(hub.urls[0]!);
  await worker.peer.serve("work", handler);
  const load = new Load(caller.peer, "work", 50);
  for (let round = 0; round < 30; round++) {
    const service = await worker.peer.serve("work", handler);
    await answered(load, 60);
    await service.close();
  }
  await load.stop();
  assert.deepEqual([...load.outcomes.keys()], ["done"]);
  await Promise.all([caller.peer.close(), worker.peer.close()]);
  await hub.close();
});

test("a hub that drains under load: all it has accepted is answered, the rest is told to go elsewhere", async () => {
  const hub = await startHub("tcp://127.0.0.1:0");
  const url = hub.urls[0]!;
  const caller = await startPeer(url);
  const worker = await startPeer(url);
  let executed = 0;
  await worker.peer.serve("work", async () => {
    executed++;
    await nextTurn();
    await nextTurn();
    return "done";
  });
  const load = new Load(caller.peer, "work", 100);
  await answered(load, 500);
  await hub.drain();
  await load.stop();
  const { requests, answered: replies, refusedDraining, workerLost } = hub.stats();
  assert.equal(workerLost, 0);
  assert.equal(replies, executed);
  assert.equal(requests, replies + refusedDraining + hub.stats().noResponders);
  assert.equal(load.count("done"), executed, "every answer has come home");
  for (const result of load.outcomes.keys()) {
    assert.ok(
      ["done", "DRAINING", "NO_RESPONDERS", "CONNECTION_LOST", "NOT_CONNECTED"].includes(String(result)),
    );
  }
  await Promise.all([caller.peer.close(), worker.peer.close()]);
});

test("P-55: a request that crosses a LEAVE is served", async () => {
  await using harness = await hubOnTcp();
  const { peer } = await startPeer(harness.url);
  const worker = await RawClient.greeted(harness.port);
  worker.send(serveBytes(1, "cross"));
  await worker.next(FrameType.ready);
  const answers = [peer.request("cross", 1), peer.request("cross", 2)];
  await worker.until(() => worker.of(FrameType.request).length === 2);
  const [first, second] = worker.of(FrameType.request);
  worker.send(frameBytes({ type: FrameType.leave, id: 1 }));
  await worker.until(() => worker.of(FrameType.ready).some(({ aux }) => aux === FrameType.leave));
  assert.equal(await outcome(peer.request("cross", 3)), "NO_RESPONDERS", "nothing new after READY");
  worker.send(replyBytes(1, first!.id, "one"), replyBytes(1, second!.id, "two"));
  assert.deepEqual(await Promise.all(answers), ["one", "two"]);
  worker.socket.destroy();
  await peer.close();
});

test("P-18: a peer that says GOAWAY gets no more requests and may end those it has", async () => {
  await using harness = await hubOnTcp();
  const { peer } = await startPeer(harness.url);
  const worker = await RawClient.greeted(harness.port);
  worker.send(serveBytes(1, "going"));
  await worker.next(FrameType.ready);
  const held = peer.request("going", 1);
  const job = await worker.next(FrameType.request);
  worker.send(frameBytes({ type: FrameType.goaway }), frameBytes({ type: FrameType.ping, id: 1 }));
  await worker.next(FrameType.pong);
  assert.equal(await outcome(peer.request("going", 2)), "NO_RESPONDERS");
  worker.send(replyBytes(1, job.id, "held"));
  assert.equal(await held, "held");
  worker.socket.destroy();
  await peer.close();
});

test("a hub that closes says so to everybody, and its own requests end", async () => {
  const harness = await hubOnTcp();
  const client = await RawClient.greeted(harness.port);
  const never = later<void>();
  client.send(serveBytes(1, "never"));
  await client.next(FrameType.ready);
  const own = outcome(harness.hub.request("never").finally(() => never.resolve()));
  await client.next(FrameType.request);
  await harness.hub.close();
  assert.equal(await client.closeReason(), "DRAINING");
  assert.equal(await own, "CLOSED");
});

test("P-44: a caller that goes away cancels its request at the worker, by signal, by leaving, by deadline", async () => {
  const hub = await startHub("tcp://127.0.0.1:0");
  const url = hub.urls[0]!;
  const worker = await startPeer(url);
  let ended = later<string>();
  let begun = later<void>();
  await worker.peer.serve("slow", (_value, context) => {
    begun.resolve();
    context.signal.addEventListener("abort", () =>
      ended.resolve((context.signal.reason as { reason: string }).reason),
    );
    return new Promise(() => undefined);
  });
  const caller = await startPeer(url);
  const abort = new AbortController();
  const aborted = outcome(caller.peer.request("slow", 1, { signal: abort.signal }));
  await begun.promise;
  abort.abort();
  assert.equal(await ended.promise, "CALLER_GONE");
  assert.equal(await aborted, "CALLER_GONE");

  [ended, begun] = [later<string>(), later<void>()];
  const late = outcome(caller.peer.request("slow", 1, { timeoutMs: 100 }));
  assert.match(await ended.promise, /^(DEADLINE|CALLER_GONE)$/);
  assert.equal(await late, "DEADLINE");

  [ended, begun] = [later<string>(), later<void>()];
  const left = outcome(caller.peer.request("slow", 1));
  await begun.promise;
  await caller.peer.close();
  assert.equal(await left, "CLOSED");
  assert.equal(await ended.promise, "CALLER_GONE");
  assert.equal(hub.stats().inFlight, 0);
  await worker.peer.close();
  await hub.close();
});

test("P-45, P-41: what has expired is not executed", async () => {
  await using harness = await hubOnTcp();
  const worker = await startPeer(harness.url);
  const executed: unknown[] = [];
  const busy = later<void>();
  const begun = later<void>();
  await worker.peer.serve(
    "one",
    async (value) => {
      executed.push(value);
      begun.resolve();
      await busy.promise;
    },
    { concurrency: 1 },
  );
  const caller = await startPeer(harness.url);
  const first = caller.peer.request("one", "first");
  await begun.promise;
  assert.equal(
    await outcome(caller.peer.request("one", "expires in the queue", { timeoutMs: 50 })),
    "DEADLINE",
  );
  const raw = await RawClient.greeted(harness.port);
  raw.send(bindBytes(1, "one"), requestBytes(1, 1, "expired before", 0));
  assert.equal(sayings(await raw.next(FrameType.error))["reason"], "DEADLINE");
  busy.resolve();
  await first;
  await caller.peer.request("one", "last");
  assert.deepEqual(executed, ["first", "last"]);
  raw.socket.destroy();
  await Promise.all([caller.peer.close(), worker.peer.close()]);
});
