/** The streams of a request that no worker got. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Failure } from "../../src/message/failure.ts";
import type { Message, StreamEnd } from "../../src/message/message.ts";
import { createStream } from "../../src/message/stream-pair.ts";
import { Rig, textMessage } from "./rig.ts";

interface Sent {
  readonly handle: number;
  /** Why its stream was ended; undefined while it is open. */
  readonly why: () => string | undefined;
}

function withStream(): { message: Message; far: StreamEnd; why: () => string | undefined } {
  const [near, far] = createStream({ sends: true, receives: true, messages: false });
  let ended: Failure | undefined;
  const nothing = (): void => undefined;
  near.listen({
    data: nothing,
    ended: nothing,
    granted: nothing,
    writable: nothing,
    ready: () => true,
    reset: (reason) => (ended = reason),
  });
  const message = textMessage("q");
  message.streams = [far];
  return { message, far, why: () => ended?.reason };
}

function send(rig: Rig, subject: string, timeoutMs = 1_000): Sent {
  const { message, why } = withStream();
  const handle = rig.broker.request(rig.broker.route(subject), message, timeoutMs, rig.caller, 1);
  return { handle, why };
}

test("a request that is refused takes its streams along", () => {
  const rig = new Rig({ queue: 1, inFlight: 2 });
  assert.equal(send(rig, "nobody").why(), "NO_RESPONDERS");
  rig.serve("a", { concurrency: 1 });
  assert.equal(send(rig, "a", 0).why(), "DEADLINE");
  const held = send(rig, "a");
  const queued = send(rig, "a");
  assert.equal(send(rig, "a").why(), "QUEUE_FULL");
  rig.serve("b");
  assert.equal(send(rig, "b").why(), "IN_FLIGHT_FULL");
  rig.broker.drain(() => undefined);
  assert.equal(send(rig, "a").why(), "DRAINING");
  assert.deepEqual([held.why(), queued.why()], [undefined, undefined]);
});

test("a request that ends in the queue takes its streams along", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  const held = send(rig, "a", 60_000);
  const expired = send(rig, "a", 100);
  const canceled = send(rig, "a", 60_000);
  const abandoned = send(rig, "a", 60_000);
  rig.broker.cancel(canceled.handle);
  assert.equal(canceled.why(), "CALLER_GONE");
  rig.clock.advance(1_000);
  assert.equal(expired.why(), "DEADLINE");
  void worker.registration.leave();
  assert.equal(abandoned.why(), "NO_RESPONDERS");
  assert.equal(held.why(), undefined, "a worker has it: its streams are that worker's");
});

test("a broker that closes ends the streams of what waits", () => {
  const rig = new Rig();
  rig.serve("a", { concurrency: 1 });
  send(rig, "a");
  const queued = send(rig, "a");
  rig.broker.close();
  assert.equal(queued.why(), "CLOSED");
});

test("a request that waited for its turn still has its streams", () => {
  const rig = new Rig();
  const worker = rig.serve("a", { concurrency: 1 });
  send(rig, "a");
  const queued = send(rig, "a");
  worker.reply();
  assert.equal(worker.executed.length, 2);
  assert.equal(queued.why(), undefined);
});
