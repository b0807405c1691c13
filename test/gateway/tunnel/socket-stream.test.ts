import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { DEFAULT_TUNNEL_LIMITS } from "../../../src/gateway/tunnel/options.ts";
import { SocketStream } from "../../../src/gateway/tunnel/socket-stream.ts";
import { failure, type Failure } from "../../../src/message/failure.ts";
import type { Message, StreamEvents } from "../../../src/message/message.ts";
import { createStream } from "../../../src/stream/stream-pair.ts";
import { TestTarget } from "./endpoints.ts";

/** The holder of the other end, who grants nothing by itself. */
class Holder implements StreamEvents {
  received = 0;
  hasEnded = false;
  why: Failure | undefined;

  data(message: Message): void {
    this.received += message.payload().length;
  }

  ended(): void {
    this.hasEnded = true;
  }

  granted(): void {
    // nothing is sent from here
  }

  ready(): boolean {
    return true;
  }

  writable(): void {
    // nothing is sent from here
  }

  reset(why: Failure): void {
    this.why = why;
  }
}

/** More than a stream begins with, less than one read of a socket. */
const SIZE = 40_000;

for (const how of ["granted", "reset", "idle"] as const) {
  test(`a socket that is over before its last bytes have credit: they wait until they are ${how}`, async () => {
    await using target = new TestTarget((one) => one.end(Buffer.alloc(SIZE)));
    const socket = connect({ ...(await target.start()), allowHalfOpen: true });
    await once(socket, "connect");
    const [far, near] = createStream({ receives: true, sends: true, messages: false });
    const holder = new Holder();
    far.listen(holder);
    const ends: (Failure | undefined)[] = [];
    const gone = once(socket, "close");
    const limits = how === "idle" ? { ...DEFAULT_TUNNEL_LIMITS, idleTimeoutMs: 50 } : DEFAULT_TUNNEL_LIMITS;
    const over = new Promise<void>((resolve) => {
      const stream = new SocketStream(socket, near, limits, (why) => {
        ends.push(why);
        resolve();
      });
      assert.ok(stream.ready());
    });
    far.end();
    await gone;
    assert.deepEqual([holder.received, holder.hasEnded, ends], [16_384, false, []]);
    if (how === "granted") far.grant(SIZE);
    if (how === "reset") far.reset(failure("CALLER_GONE"));
    await over;
    const reason = { granted: undefined, reset: "CALLER_GONE", idle: "IDLE" }[how];
    assert.deepEqual(
      ends.map((why) => why?.reason),
      [reason],
    );
    assert.deepEqual([holder.received, holder.hasEnded], how === "granted" ? [SIZE, true] : [16_384, false]);
    assert.equal(holder.why?.reason, how === "idle" ? "IDLE" : undefined);
  });
}

test("a stream that is reset while the end of its socket is being sent: the socket is closed", async () => {
  await using target = new TestTarget(() => undefined);
  const socket = connect({ ...(await target.start()), allowHalfOpen: true });
  await once(socket, "connect");
  const [far, near] = createStream({ receives: true, sends: true, messages: false });
  far.listen(new Holder());
  const over = new Promise<Failure | undefined>((resolve) => {
    const stream = new SocketStream(socket, near, DEFAULT_TUNNEL_LIMITS, resolve);
    assert.ok(stream.ready());
  });
  far.end();
  await new Promise<void>((resolve) => process.nextTick(resolve));
  assert.deepEqual([socket.writableEnded, socket.writableFinished], [true, false]);
  far.reset(failure("CALLER_GONE"));
  assert.equal((await over)?.reason, "CALLER_GONE");
});
