import type { Writable } from "node:stream";
import { copyOf } from "../message/bytes.ts";

/** Bytes one connection may have under way before `send` asks to wait. */
const WINDOW = 262_144;

/**
 * Sends through a Node stream that keeps buffers for as long as its flow control holds them back. Below the window bytes
 * are copied, so that the caller has its buffer back at once; from there on the stream keeps the caller's.
 */
export class SendWindow {
  readonly #stream: Writable;
  readonly #drained: () => void;
  #pending = 0;
  #full = false;

  constructor(stream: Writable, drained: () => void) {
    this.#stream = stream;
    this.#drained = drained;
  }

  /** As `Connection.send`. */
  send(bytes: Uint8Array): boolean {
    const stream = this.#stream;
    if (!stream.writable || stream.destroyed) return true; // its end is on its way; the bytes have nowhere to go
    const size = bytes.length;
    this.#pending += size;
    const full = this.#pending >= WINDOW;
    if (full) this.#full = true;
    stream.write(full ? bytes : copyOf(bytes, 0, size), (error) => {
      this.#pending -= size;
      if (!this.#full || this.#pending > 0 || error) return;
      this.#full = false;
      this.#drained();
    });
    return !full;
  }
}
