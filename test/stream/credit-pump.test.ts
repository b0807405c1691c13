import assert from "node:assert/strict";
import { test } from "node:test";
import { LintelError, failure, type Failure } from "../../src/message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../src/message/message.ts";
import { CreditPump, type PumpSource } from "../../src/stream/credit-pump.ts";
import { createStream } from "../../src/stream/stream-pair.ts";
import { INITIAL_CREDIT, MESSAGE_COST } from "../../src/stream/stream.ts";

/** The receiving end: what came, and what to do when something comes. */
class Reader implements StreamEvents {
  readonly sizes: number[] = [];
  bytes = "";
  hasEnded = false;
  why: Failure | undefined;
  isReady = true;
  onData: (size: number) => void = () => undefined;
  error: Error | undefined;

  data(message: Message): void {
    if (this.error !== undefined) throw this.error;
    const size = message.end - message.payloadStart;
    this.sizes.push(size);
    this.bytes += Buffer.from(message.payload()).toString("latin1");
    this.onData(size);
  }

  ended(): void {
    this.hasEnded = true;
  }

  granted(): void {
    // sends nothing
  }

  ready(): boolean {
    return this.isReady;
  }

  writable(): void {
    // sends nothing
  }

  reset(why: Failure): void {
    this.why = why;
  }
}

interface Bench {
  readonly pump: CreditPump;
  readonly near: StreamEnd;
  readonly far: StreamEnd;
  readonly reader: Reader;
  /** What the source was told. */
  readonly told: string[];
}

function bench(messages = false, source: Partial<PumpSource> = {}): Bench {
  const [near, far] = createStream({ sends: true, receives: true, messages });
  const told: string[] = [];
  const reader = new Reader();
  const pump = new CreditPump(near, {
    pause: () => void told.push("pause"),
    resume: () => void told.push("resume"),
    sentAll: () => void told.push("sentAll"),
    refused: (error) => void told.push((error as Error).message),
    ...source,
  });
  near.listen({
    data: () => undefined,
    ended: () => undefined,
    granted: (bytes) => pump.granted(bytes),
    ready: () => true,
    writable: () => pump.writable(),
    reset: () => pump.stop(),
  });
  far.listen(reader);
  return { pump, near, far, reader, told };
}

const chunk = (size: number, letter = "x"): Message => Message.ofBytes(Buffer.alloc(size, letter));

test("what credit allows is sent at once, and the source is not told", () => {
  const { pump, reader, told } = bench();
  pump.push(chunk(INITIAL_CREDIT));
  assert.deepEqual(reader.sizes, [INITIAL_CREDIT]);
  assert.equal(pump.credit, 0);
  assert.ok(pump.isIdle);
  assert.deepEqual(told, []);
});

test("without credit nothing is sent and the source is paused once, until everything has left", () => {
  const { pump, far, reader, told } = bench();
  pump.push(chunk(INITIAL_CREDIT));
  pump.push(chunk(2, "a"));
  pump.push(chunk(2, "b")); // a source that does not heed the pause loses nothing
  assert.deepEqual(reader.sizes, [INITIAL_CREDIT]);
  assert.deepEqual(told, ["pause"]);
  far.grant(1);
  far.grant(2);
  assert.deepEqual(reader.sizes.slice(1), [1, 1, 1]);
  assert.deepEqual(told, ["pause"]);
  far.grant(1);
  assert.ok(reader.bytes.endsWith("aabb"));
  assert.deepEqual(told, ["pause", "resume"]);
});

test("bytes are cut to the credit that is left; what is sent is each byte once, in order", () => {
  const { pump, far, reader } = bench();
  const bytes = Buffer.from(Array.from({ length: INITIAL_CREDIT * 3 }, (_, index) => index % 251));
  pump.push(Message.ofBytes(bytes));
  for (let granted = 0; granted < INITIAL_CREDIT * 2; granted += 1_024) far.grant(1_024);
  assert.equal(reader.bytes, bytes.toString("latin1"));
  assert.equal(pump.credit, 0);
});

test("no bytes are no message", () => {
  const { pump, reader } = bench();
  pump.push(chunk(0));
  assert.deepEqual(reader.sizes, []);
});

test("a message is sent whole while there is any credit, and what it cost too much is paid back first", () => {
  const { pump, far, reader, told } = bench(true);
  pump.push(chunk(20_000));
  assert.deepEqual(reader.sizes, [20_000]);
  assert.equal(pump.credit, INITIAL_CREDIT - 20_000 - MESSAGE_COST);
  pump.push(chunk(0));
  far.grant(20_000 + MESSAGE_COST - INITIAL_CREDIT);
  assert.deepEqual(reader.sizes, [20_000], "no credit is left");
  far.grant(1);
  assert.deepEqual(reader.sizes, [20_000, 0], "an empty message is one");
  assert.deepEqual(told, ["pause", "resume"]);
});

test("half-close: END follows what waits, and the other direction stays open", () => {
  const { pump, near, far, reader, told } = bench();
  pump.push(chunk(INITIAL_CREDIT + 1));
  pump.finish();
  assert.ok(pump.isOpen);
  assert.equal(reader.hasEnded, false);
  far.grant(1);
  assert.equal(reader.hasEnded, true);
  assert.equal(pump.isOpen, false);
  assert.deepEqual(told, ["pause", "sentAll"]);
  pump.push(chunk(1));
  pump.finish();
  assert.equal(reader.sizes.length, 2, "nothing follows END");
  assert.deepEqual(told, ["pause", "sentAll"]);
  near.reset(failure("CALLER_GONE"));
  assert.equal(reader.why?.reason, "CALLER_GONE", "the stream was not over");
});

test("a source that ends while nothing waits ends the stream at once", () => {
  const { pump, reader, told } = bench();
  pump.finish();
  assert.ok(reader.hasEnded);
  assert.deepEqual(told, ["sentAll"]);
});

test("an end that sends nothing is over from the start", () => {
  const [near, far] = createStream({ sends: false, receives: true, messages: false });
  const reader = new Reader();
  far.listen(reader);
  const told: string[] = [];
  const tell = (): void => void told.push("told");
  const pump = new CreditPump(near, { pause: tell, resume: tell, sentAll: tell });
  pump.push(chunk(1));
  pump.finish();
  assert.equal(pump.isOpen, false);
  assert.deepEqual([reader.sizes, reader.hasEnded, told], [[], false, []]);
});

test("a reset drops what waits, and tells the senders of streams in it why", () => {
  const { pump, far, reader, told } = bench(true);
  const [inner, carried] = createStream({ sends: true, receives: true, messages: false });
  const sender = new Reader();
  inner.listen(sender);
  pump.push(chunk(INITIAL_CREDIT));
  const message = chunk(1);
  message.streams = [carried];
  pump.push(message);
  far.reset(failure("CALLER_GONE"));
  assert.equal(sender.why?.reason, "CALLER_GONE");
  assert.ok(pump.isIdle);
  pump.granted(100_000);
  assert.deepEqual(reader.sizes, [INITIAL_CREDIT]);
  assert.deepEqual(told, ["pause"], "a source is not resumed into a stream that is over");
});

test("what comes when the pump is over is dropped, with its streams", () => {
  const { pump } = bench(true);
  pump.stop();
  const [inner, carried] = createStream({ sends: true, receives: true, messages: false });
  const sender = new Reader();
  inner.listen(sender);
  const message = chunk(1);
  message.streams = [carried];
  pump.push(message);
  assert.equal(sender.why?.reason, "CALLER_GONE");
});

test("a way that is full holds the pump back as missing credit does", () => {
  const { pump, far, reader, told } = bench();
  reader.isReady = false;
  pump.push(chunk(10));
  assert.deepEqual([reader.sizes, told], [[], ["pause"]]);
  far.grant(10);
  assert.deepEqual(reader.sizes, []);
  reader.isReady = true;
  far.resume();
  assert.deepEqual([reader.sizes, told], [[10], ["pause", "resume"]]);
});

test("credit that is granted while something is sent is used after it, not within it", () => {
  const { pump, far, reader } = bench();
  let depth = 0;
  let deepest = 0;
  reader.onData = () => {
    depth++;
    deepest = Math.max(deepest, depth);
    far.grant(1);
    depth--;
  };
  const size = INITIAL_CREDIT + 50_000;
  pump.push(chunk(size)); // a pump that called itself for every byte would run out of stack
  assert.equal(reader.bytes.length, size);
  assert.equal(deepest, 1);
});

test("a source that ends inside the pump ends the stream after what is being sent", () => {
  const { pump, far, reader, told } = bench();
  pump.push(chunk(INITIAL_CREDIT));
  pump.push(chunk(2));
  const order: string[] = [];
  reader.onData = (size) => {
    order.push(`data ${size}`);
    pump.finish();
    order.push(`ended ${reader.hasEnded}`);
  };
  far.grant(1);
  far.grant(1);
  assert.deepEqual(order, ["data 1", "ended false", "data 1", "ended false"]);
  assert.ok(reader.hasEnded);
  assert.deepEqual(told, ["pause", "sentAll"]);
});

test("a source that pushes and ends when it is resumed is sent to its end", () => {
  const source: Partial<PumpSource> = {
    resume: () => {
      pump.push(chunk(3, "b"));
      pump.finish();
    },
  };
  const { pump, far, reader, told } = bench(false, source);
  pump.push(chunk(INITIAL_CREDIT + 1, "a"));
  far.grant(100);
  assert.ok(reader.bytes.endsWith("abbb"));
  assert.ok(reader.hasEnded);
  assert.deepEqual(told, ["pause", "sentAll"]);
});

test("a stream that is reset by who receives ends the pump in the middle", () => {
  const { pump, far, reader, told } = bench();
  reader.onData = () => far.reset(failure("CALLER_GONE"));
  pump.push(chunk(INITIAL_CREDIT * 2));
  assert.deepEqual(reader.sizes, [INITIAL_CREDIT]);
  assert.equal(pump.isOpen, false);
  assert.ok(pump.isIdle);
  assert.deepEqual(told, []);
});

test("a message that is not taken costs nothing: now it throws, later the source hears, and the next is sent", () => {
  const { pump, far, reader, told } = bench(true);
  reader.error = LintelError.of("TOO_LARGE", "too large");
  assert.throws(() => pump.push(chunk(1)), /too large/);
  assert.equal(pump.credit, INITIAL_CREDIT);
  reader.error = undefined;
  pump.push(chunk(INITIAL_CREDIT));
  pump.push(chunk(1));
  pump.push(chunk(2));
  reader.onData = () => undefined;
  reader.error = LintelError.of("TOO_LARGE", "too large as well");
  const before = pump.credit;
  reader.isReady = true;
  far.grant(-before); // none to spare
  assert.deepEqual(told, ["pause"]);
  far.grant(1);
  assert.deepEqual(told, ["pause", "too large as well", "too large as well", "resume"]);
  assert.equal(pump.credit, 1);
});
