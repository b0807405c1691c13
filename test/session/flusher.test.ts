/** A turn of the loop writes to so many connections, and the others follow in the order they came. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Flusher, Outbox } from "../../src/session/outbox.ts";
import type { Connection } from "../../src/transport/transport.ts";

const SHARE = 256;

class Loop {
  readonly flusher = new Flusher((callback) => this.#later.push(callback));
  #later: (() => void)[] = [];

  /** Runs a turn. False when there is nothing to do. */
  turn(): boolean {
    const callbacks = this.#later;
    this.#later = [];
    for (const callback of callbacks) callback();
    return callbacks.length > 0;
  }
}

for (const count of [1, SHARE, SHARE + 1, 3_000]) {
  test(`${count} that have something to send, ${SHARE} in a turn`, () => {
    const loop = new Loop();
    const flushed: number[] = [];
    for (let at = 0; at < count; at++) loop.flusher.schedule({ flush: () => flushed.push(at) });
    for (let before = 0; loop.turn(); before = flushed.length) {
      assert.equal(flushed.length, Math.min(count, before + SHARE));
    }
    assert.deepEqual(flushed, [...new Array(count).keys()]);
  });
}

test("what is scheduled meanwhile comes behind what waits, each once", () => {
  const loop = new Loop();
  const flushed: number[] = [];
  const item = (number: number): { flush(): void } => ({
    flush: () => {
      flushed.push(number);
      if (number < 10) loop.flusher.schedule(item(number + 10_000));
    },
  });
  for (let at = 0; at < 600; at++) loop.flusher.schedule(item(at));
  loop.turn();
  loop.flusher.schedule(item(20_000));
  while (loop.turn());
  const later = Array.from({ length: 10 }, (_, at) => 10_000 + at);
  assert.deepEqual(flushed, [...new Array(600).keys(), ...later, 20_000]);
});

function endpoint(): { connection: Connection; sent: string[] } {
  const sent: string[] = [];
  const connection: Connection = {
    remote: "test",
    open: () => undefined,
    send: (bytes) => sent.push(Buffer.from(bytes).toString()) > 0,
    close: () => undefined,
    abort: () => undefined,
  };
  return { connection, sent };
}

test("many sessions that write a little take little memory, and lose nothing when they write more", () => {
  const loop = new Loop();
  const ends = Array.from({ length: 500 }, endpoint);
  const outboxes = ends.map(({ connection }) => new Outbox(connection, loop.flusher));
  const before = process.memoryUsage().arrayBuffers;
  for (const outbox of outboxes) outbox.append(Buffer.from("ping"));
  const full = 65 * 65_536; // those of the pool, for the first sessions
  assert.ok(process.memoryUsage().arrayBuffers - before < full + 500 * 8_192);
  for (const [at, outbox] of outboxes.entries()) {
    for (let frame = 0; frame < at; frame++) outbox.append(Buffer.from(`${String(frame).padStart(99)}\n`));
  }
  while (loop.turn());
  for (const [at, { sent }] of ends.entries()) {
    const lines = Array.from({ length: at }, (_, frame) => `${String(frame).padStart(99)}\n`);
    assert.equal(sent.join(""), `ping${lines.join("")}`);
    assert.ok(sent.length <= 3, `${sent.length} writes`);
  }
});

test("a large slab is lent, and used again when it is free; a small one is copied", () => {
  const loop = new Loop();
  const { connection, sent } = endpoint();
  const lent: { bytes: Uint8Array; freed: () => void }[] = [];
  connection.lend = (bytes, freed) => lent.push({ bytes, freed }) > 0;
  const outbox = new Outbox(connection, loop.flusher);
  const send = (size: number): void => {
    outbox.append(new Uint8Array(size));
    while (loop.turn());
  };
  send(10);
  assert.deepEqual([sent.length, lent.length], [1, 0]);
  for (let count = 0; count < 2; count++) send(20_000);
  assert.equal(lent.length, 2);
  assert.notEqual(lent[0]!.bytes.buffer, lent[1]!.bytes.buffer, "it is not free yet");
  lent[1]!.freed();
  send(20_000);
  assert.equal(lent[2]!.bytes.buffer, lent[1]!.bytes.buffer);
});
