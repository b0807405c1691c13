import { failure, type Failure } from "../message/failure.ts";
import { HEADER_SIZE, readAux, readU32, type FrameHeader } from "./frame.ts";

/** Receives frames. */
export interface FrameSink {
  /** The next frames lie in these bytes: if `lent`, until `push` returns; otherwise nobody writes to them again. */
  begin(bytes: Uint8Array, lent: boolean): void;
  /** The body lies in `bytes[start..end]`. */
  frame(header: FrameHeader, bytes: Uint8Array, start: number, end: number): void;
}

/** A partial frame's buffer starts at this size and grows with what has really arrived. */
const FIRST_CARRY = 512;

/**
 * Cuts a byte stream into frames. Whole frames are handed on where they lie; only a frame that is cut by the end of a
 * chunk is copied together. Memory never runs ahead of the bytes received, whatever a length claims.
 */
export class FrameReader {
  #maxBody: number;
  readonly #header: FrameHeader = { type: 0, flags: 0, aux: 0, target: 0, id: 0 };
  #carry: Uint8Array = new Uint8Array(0);
  #carried = 0;
  #stopped = false;

  constructor(maxBody: number) {
    this.#maxBody = maxBody;
  }

  /** Bytes of an unfinished frame that are held. */
  get pending(): number {
    return this.#carried;
  }

  /** From the next frame on bodies may be this long. */
  allow(maxBody: number): void {
    this.#maxBody = maxBody;
  }

  /** Makes `push` ignore the rest; to be called from a sink that is done with the connection. */
  stop(): void {
    this.#stopped = true;
    this.#carry = new Uint8Array(0);
    this.#carried = 0;
  }

  /** Reads a chunk. Returns the failure when the bytes break the protocol; the reader is then stopped. */
  push(chunk: Uint8Array, sink: FrameSink): Failure | undefined {
    if (this.#stopped) return undefined;
    let at = 0;
    if (this.#carried > 0) {
      at = this.#complete(chunk, sink);
      if (at < 0) return this.#tooLong(readU32(this.#carry, 0));
      if (this.#carried > 0 || this.#stopped) return undefined;
    }
    const size = chunk.length;
    sink.begin(chunk, true);
    while (at + HEADER_SIZE <= size) {
      const length = readU32(chunk, at);
      if (length > this.#maxBody) return this.#tooLong(length); // P-3
      const end = at + HEADER_SIZE + length;
      if (end > size) break;
      this.#emit(chunk, at, end, sink);
      if (this.#stopped) return undefined;
      at = end;
    }
    if (at < size) this.#keep(chunk, at, size);
    return undefined;
  }

  #emit(bytes: Uint8Array, at: number, end: number, sink: FrameSink): void {
    const header = this.#header;
    header.type = bytes[at + 4]!;
    header.flags = bytes[at + 5]!;
    header.aux = readAux(bytes, at);
    header.target = readU32(bytes, at + 8);
    header.id = readU32(bytes, at + 12);
    sink.frame(header, bytes, at + HEADER_SIZE, end);
  }

  /** Completes the carried frame. Returns the offset behind it in `chunk`, -1 when its length is over the limit. */
  #complete(chunk: Uint8Array, sink: FrameSink): number {
    let at = 0;
    if (this.#carried < HEADER_SIZE) {
      at = Math.min(HEADER_SIZE - this.#carried, chunk.length);
      this.#keep(chunk, 0, at);
      if (this.#carried < HEADER_SIZE) return at;
    }
    const length = readU32(this.#carry, 0);
    if (length > this.#maxBody) return -1;
    const whole = HEADER_SIZE + length;
    const taken = Math.min(whole - this.#carried, chunk.length - at);
    this.#keep(chunk, at, at + taken);
    if (this.#carried < whole) return at + taken;
    const frame = this.#carry;
    this.#carried = 0;
    this.#carry = new Uint8Array(0); // the receiver may keep views of this one
    sink.begin(frame, false);
    this.#emit(frame, 0, whole, sink);
    return at + taken;
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#carried + (end - start);
    if (needed > this.#carry.length) {
      const grown = new Uint8Array(Math.max(FIRST_CARRY, this.#carry.length * 2, needed));
      grown.set(this.#carry.subarray(0, this.#carried));
      this.#carry = grown;
    }
    this.#carry.set(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end), this.#carried);
    this.#carried = needed;
  }

  #tooLong(length: number): Failure {
    this.stop();
    return failure("BAD_FRAME", `a frame claims a body of ${length} bytes, the limit is ${this.#maxBody}`);
  }
}
