/** A peer whose hub does not read: what it has to send waits in its process (P-62, P-67). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../../src/peer/connect.ts";
import type { Handler, Peer } from "../../../src/peer/peer.ts";
import { TransportRegistry } from "../../../src/transport/registry.ts";
import { FrameType } from "../../../src/wire/frame.ts";
import {
  bindBytes,
  frameBytes,
  replyBytes,
  requestBytes,
  sayings,
  welcomeBytes,
  withHeaders,
} from "../../wire/frame-bytes.ts";
import { RawEnd, settled } from "../../session/harness.ts";
import { later, outcome } from "./harness.ts";

const BUFFER = 1_048_576;
const MARK = BUFFER / 8;
const SIZE = 100_000;

interface Harness {
  readonly peer: Peer;
  readonly hub: RawEnd;
  /** What the peer's `onError` was told. */
  readonly errors: { readonly reason: unknown; readonly where: string }[];
  /** The hub reads, or no longer does. */
  readonly reads: (going: boolean) => void;
}

async function harness(): Promise<Harness> {
  const transports = new TransportRegistry();
  const accepted = later<RawEnd>();
  const url = "memory:full-session";
  const memory = await transports.for(url);
  const listener = await memory.listen(url, (connection) => {
    const end = new RawEnd(connection);
    end.send(welcomeBytes());
    accepted.resolve(end);
  });
  const errors: Harness["errors"] = [];
  const peer = await connect(url, {
    transports,
    limits: { sessionBuffer: BUFFER },
    onError: (error, where) => void errors.push({ reason: (error as { reason?: string }).reason, where }),
  });
  await listener.close();
  const hub = await accepted.promise;
  return { peer, hub, errors, reads: (going) => hub.connection.read!(going) };
}

async function served({ peer, hub }: Harness, handler: Handler): Promise<number> {
  const service = peer.serve("a", handler);
  const { id } = await hub.next(FrameType.serve);
  hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.serve }), bindBytes(1, "a", id));
  await service;
  return id;
}

/** Requests of the peer, more than its session takes. */
function burst(peer: Peer, count: number): Promise<unknown>[] {
  const payload = new Uint8Array(SIZE);
  return Array.from({ length: count }, () => outcome(peer.request("echo", payload)));
}

function answerAll(hub: RawEnd, from = 0): number {
  const requests = hub.of(FrameType.request);
  for (const { id } of requests.slice(from)) hub.send(replyBytes(0, id, "done"));
  return requests.length;
}

test("P-62: requests past the mark wait, and go out in order when the hub reads", async () => {
  const one = await harness();
  const { peer, hub, errors, reads } = one;
  reads(false);
  const answers = burst(peer, 64);
  await settled();
  reads(true);
  await hub.until(() => hub.of(FrameType.request).length === 64);
  const ids = hub.of(FrameType.request).map(({ id }) => id);
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  answerAll(hub);
  assert.deepEqual(new Set(await Promise.all(answers)), new Set(["done"]));
  assert.deepEqual(errors, []);
  await peer.close();
});

test("P-67: a request that waits keeps its deadline and its signal, and is not sent afterwards", async () => {
  const { peer, hub, reads } = await harness();
  reads(false);
  const answers = burst(peer, 10);
  const controller = new AbortController();
  const late = outcome(peer.request("late", 1, { timeoutMs: 20 }));
  const withdrawn = outcome(peer.request("withdrawn", 1, { signal: controller.signal }));
  const kept = outcome(peer.request("kept", 1));
  await settled();
  controller.abort();
  assert.deepEqual(await Promise.all([late, withdrawn]), ["DEADLINE", "CALLER_GONE"]);
  reads(true);
  await hub.until(() => hub.of(FrameType.request).length === 11);
  answerAll(hub);
  assert.deepEqual(new Set(await Promise.all([...answers, kept])), new Set(["done"]));
  assert.deepEqual(
    hub.of(FrameType.bind).map(({ body }) => body.toString()),
    ["echo", "kept"],
  );
  assert.equal(hub.of(FrameType.cancel).length, 0);
  await peer.close();
});

test("P-67, P-102: when the session is lost, what was not sent fails as never executed", async () => {
  const { peer, hub, reads } = await harness();
  reads(false);
  const answers = burst(peer, 10);
  await settled();
  hub.connection.abort();
  const outcomes = await Promise.all(answers);
  const sent = outcomes.filter((reason) => reason === "CONNECTION_LOST").length;
  assert.ok(sent > MARK / SIZE && sent < 8, `${sent} had been sent`);
  assert.deepEqual(outcomes.slice(sent), new Array(10 - sent).fill("NOT_CONNECTED"));
  await peer.close();
});

test("what waits is bounded in bytes, and refused past that as safe to send again", async () => {
  const transports = new TransportRegistry();
  const memory = await transports.for("memory:bounded");
  let reads: (going: boolean) => void = () => undefined;
  await memory.listen("memory:bounded", (connection) => {
    new RawEnd(connection).send(welcomeBytes());
    reads = (going) => connection.read!(going);
    reads(false);
  });
  const peer = await connect("memory:bounded", { transports, limits: { sessionBuffer: 10_000 } });
  const outcomes: unknown[] = [];
  for (let index = 0; index < 40; index++) {
    const answer = peer.request("a", new Uint8Array(50_000));
    void answer.catch((error: { reason: string; retryable: boolean }) =>
      outcomes.push(`${error.reason} ${error.retryable}`),
    );
    await settled();
  }
  assert.ok(outcomes.length > 10 && outcomes.length < 35, `${outcomes.length} were refused`);
  assert.deepEqual(new Set(outcomes), new Set(["IN_FLIGHT_FULL true"]));
  reads(true);
  await peer.close();
});

/** Requests that the peer holds, and whose answers wait because the hub does not read. */
async function answersThatWait(one: Harness, count: number): Promise<() => void> {
  const answer = later<void>();
  await served(one, async () => {
    await answer.promise;
    return new Uint8Array(SIZE);
  });
  for (let id = 1; id <= count; id++) one.hub.send(requestBytes(1, id));
  await settled();
  one.reads(false);
  return () => answer.resolve();
}

test("P-62: answers past the mark wait while their jobs are held; a job that is withdrawn meanwhile gives none", async () => {
  const one = await harness();
  const { peer, hub, reads, errors } = one;
  const answer = await answersThatWait(one, 20);
  answer();
  await settled();
  hub.send(frameBytes({ type: FrameType.cancel, aux: 1, id: 20, target: 1 }));
  await settled();
  reads(true);
  await hub.until(() => hub.of(FrameType.reply).length === 19);
  await settled();
  assert.deepEqual(
    hub.of(FrameType.reply).map(({ id, body }) => [id, body.length]),
    Array.from({ length: 19 }, (_, index) => [index + 1, SIZE]),
  );
  assert.deepEqual(errors, []);
  await peer.close();
});

test("P-62: a peer that drains, or is closed, still sends the answers that wait", async () => {
  for (const end of ["drain", "close"] as const) {
    const one = await harness();
    const { peer, hub, reads } = one;
    const answer = await answersThatWait(one, 20);
    answer();
    await settled();
    const ended = peer[end]();
    reads(true);
    if (end === "drain") {
      const { id } = await hub.next(FrameType.leave);
      hub.send(frameBytes({ type: FrameType.ready, id, aux: FrameType.leave }));
    }
    await ended;
    await hub.until(() => hub.ended);
    assert.equal(hub.of(FrameType.reply).length, 20, end);
    assert.equal(sayings(hub.of(FrameType.close)[0]!)["reason"], "CLOSED");
  }
});

test("failures past the mark wait like answers, and what cannot be encoded is a failure", async () => {
  const one = await harness();
  const { peer, hub, reads } = one;
  const end = later<void>();
  let index = 0;
  await served(one, async () => {
    const turn = index++;
    await end.promise;
    if (turn === 10) throw new Error("unexpected");
    if (turn === 11) return { toJSON: () => BigInt(1) };
    return new Uint8Array(SIZE);
  });
  for (let id = 1; id <= 12; id++) hub.send(requestBytes(1, id));
  await settled();
  reads(false);
  end.resolve();
  await settled();
  reads(true);
  await hub.until(() => hub.of(FrameType.reply).length + hub.of(FrameType.error).length === 12);
  assert.deepEqual(
    hub.of(FrameType.error).map(({ id }) => id),
    [11, 12],
  );
  await peer.close();
});

test("P-68: a peer whose hub ends the session is told why, unless the hub shuts down", async () => {
  for (const [reason, expected] of [
    ["SLOW_CONSUMER", ["SLOW_CONSUMER"]],
    ["BAD_FRAME", ["BAD_FRAME"]],
    ["HEARTBEAT_LOST", ["HEARTBEAT_LOST"]],
    ["DRAINING", []],
    ["CLOSED", []],
  ] as const) {
    const { peer, hub, errors } = await harness();
    hub.send(withHeaders({ type: FrameType.close }, { code: "unavailable", reason, message: "so it is" }));
    await hub.until(() => hub.ended);
    await settled();
    assert.deepEqual(
      errors.map((error) => error.reason),
      expected,
    );
    for (const { where } of errors) assert.equal(where, "the session with memory:full-session");
    await peer.close();
  }
});
