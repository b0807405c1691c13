import type { Writable } from "node:stream";
import { copyOf, viewOf } from "../message/bytes.ts";

/** Bytes one connection may have under way before `send` asks to wait. */
const WINDOW = 262_144;
/**
 * What is kept for a stream that is full goes out in pieces, so that it can be seen whether the other end takes any. Each piece
 * waits for the one before, so they are long while they are taken at once, and short when they are not. Bytes.
 */
const SHORT_PIECE = 65_536;
/** A slab of a session in one go. */
const LONG_PIECE = 270_336;
/** A piece that takes less is taken at once. Milliseconds. */
const AT_ONCE_MS = 250;

/**
 * Sends through a Node stream that keeps buffers for as long as its flow control holds them back. Below the window bytes
 * are copied, so that the caller has its buffer back at once; from there on the stream keeps the caller's.
 */
export class SendWindow {
  readonly #stream: Writable;
  readonly #drained: () => void;
  #pending = 0;
  #full = false;
  /** What of a buffer that is kept the stream has not been given. */
  #rest: Uint8Array | undefined;
  #piece = SHORT_PIECE;
  /** When the last piece was given to the stream. */
  #began = 0;

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
    if (full) this.#sendPiece(bytes);
    else stream.write(copyOf(bytes, 0, size), (error) => this.#sent(size, error));
    return !full;
  }

  /** As `Connection.lend`. */
  lend(bytes: Uint8Array, freed: () => void): boolean {
    const stream = this.#stream;
    const size = bytes.length;
    if (this.#pending + size >= WINDOW || !stream.writable || stream.destroyed) return this.send(bytes);
    this.#pending += size;
    stream.write(bytes, (error) => {
      if (!error) freed();
      this.#sent(size, error);
    });
    return true;
  }

  /** Bytes that were sent and are not gone yet. */
  get unsent(): number {
    return this.#pending;
  }

  /** Hands everything that is left to the stream, which is about to be ended. */
  hurry(): void {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#write(rest);
  }

  #sendPiece(bytes: Uint8Array): void {
    const piece = this.#piece;
    this.#began = performance.now();
    if (bytes.length <= piece) return this.#write(bytes);
    this.#rest = viewOf(bytes, piece, bytes.length);
    return this.#write(viewOf(bytes, 0, piece));
  }

  #write(bytes: Uint8Array): void {
    const size = bytes.length;
    this.#stream.write(bytes, (error) => this.#sent(size, error));
  }

  #sent(size: number, error: Error | null | undefined): void {
    this.#pending -= size;
    if (error) return;
    if (this.#full) this.#piece = performance.now() - this.#began < AT_ONCE_MS ? LONG_PIECE : SHORT_PIECE;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) return this.#sendPiece(rest);
    if (!this.#full || this.#pending > 0) return;
    this.#full = false;
    this.#drained();
  }
}
