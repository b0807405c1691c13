/** The streams of a request that no worker got. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Failure } from "../../src/message/failure.ts";
import type { Message, StreamEnd } from "../../src/message/message.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { Harness, textMessage } from "./harness.ts";

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

function send(harness: Harness, subject: string, timeoutMs = 1_000): Sent {
  const { message, why } = withStream();
  const handle = harness.broker.request(harness.broker.route(subject), message, timeoutMs, harness.caller, 1);
  return { handle, why };
}

test("a request that is refused takes its streams along", () => {
  const harness = new Harness({ queue: 1, inFlight: 2 });
  assert.equal(send(harness, "nobody").why(), "NO_RESPONDERS");
  harness.serve("a", { concurrency: 1 });
  assert.equal(send(harness, "a", 0).why(), "DEADLINE");
  const held = send(harness, "a");
  const queued = send(harness, "a");
  assert.equal(send(harness, "a").why(), "QUEUE_FULL");
  harness.serve("b");
  assert.equal(send(harness, "b").why(), "IN_FLIGHT_FULL");
  harness.broker.drain(() => undefined);
  assert.equal(send(harness, "a").why(), "DRAINING");
  assert.deepEqual([held.why(), queued.why()], [undefined, undefined]);
});

test("a request that ends in the queue takes its streams along", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  const held = send(harness, "a", 60_000);
  const expired = send(harness, "a", 100);
  const canceled = send(harness, "a", 60_000);
  const abandoned = send(harness, "a", 60_000);
  harness.broker.cancel(canceled.handle);
  assert.equal(canceled.why(), "CALLER_GONE");
  harness.clock.advance(1_000);
  assert.equal(expired.why(), "DEADLINE");
  void worker.registration.leave();
  assert.equal(abandoned.why(), "NO_RESPONDERS");
  assert.equal(held.why(), undefined, "a worker has it: its streams are that worker's");
});

test("a broker that closes ends the streams of what waits", () => {
  const harness = new Harness();
  harness.serve("a", { concurrency: 1 });
  send(harness, "a");
  const queued = send(harness, "a");
  harness.broker.close();
  assert.equal(queued.why(), "CLOSED");
});

test("a request that waited for its turn still has its streams", () => {
  const harness = new Harness();
  const worker = harness.serve("a", { concurrency: 1 });
  send(harness, "a");
  const queued = send(harness, "a");
  worker.reply();
  assert.equal(worker.executed.length, 2);
  assert.equal(queued.why(), undefined);
});
