/** Which bytes a bypass copies, and when it has no more use for those it did not copy. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import type { Http2Stream } from "node:http2";
import { Http2Bypass } from "../../src/transport/http2/bypass.ts";

const WINDOW = 65_536;

/** A stream whose system takes what is written when the test says so. */
class HandStream extends EventEmitter {
  readonly writable = true;
  readonly destroyed = false;
  readonly closed = false;
  readonly written: Uint8Array[] = [];
  readonly #callbacks: (() => void)[] = [];

  write(bytes: Uint8Array, callback: () => void): void {
    this.written.push(bytes);
    this.#callbacks.push(callback);
  }

  take(): void {
    this.#callbacks.shift()!();
  }

  pause(): void {
    // nothing comes
  }

  resume(): void {
    // nothing comes
  }
}

function bypassOn(stream: HandStream): { bypass: Http2Bypass; drained: () => number } {
  const bypass = new Http2Bypass(stream as unknown as Http2Stream, true);
  let drained = 0;
  bypass.open({ data: () => undefined, drained: () => drained++, closed: () => undefined });
  return { bypass, drained: () => drained };
}

test("its own bytes are written from where they lie", () => {
  const stream = new HandStream();
  const { bypass, drained } = bypassOn(stream);
  const bytes = new Uint8Array(WINDOW / 2);
  assert.equal(bypass.send(bytes, true), true);
  assert.equal(bypass.send(bytes, true), false);
  assert.deepEqual(
    stream.written.map((one) => one === bytes),
    [true, true],
  );
  stream.take();
  assert.equal(drained(), 1, "half of the window is free");
});

test("others' bytes are copied while there is room", () => {
  const stream = new HandStream();
  const { bypass } = bypassOn(stream);
  const bytes = new Uint8Array(1_000).fill(1);
  assert.equal(bypass.send(bytes), true);
  bytes.fill(2);
  assert.ok(stream.written[0]!.every((byte) => byte === 1));
});

test("others' bytes that fill it are written from where they lie, and gone when it has drained", () => {
  const stream = new HandStream();
  const { bypass, drained } = bypassOn(stream);
  const bytes = new Uint8Array(WINDOW - 1_000);
  assert.equal(bypass.send(new Uint8Array(1_000)), true);
  assert.equal(bypass.send(bytes), false);
  assert.equal(bypass.send(new Uint8Array(10), true), false);
  assert.equal(stream.written[1], bytes);
  stream.take();
  stream.take();
  assert.equal(drained(), 0, "something is still under way");
  stream.take();
  assert.equal(drained(), 1);
});
