import { failure, type Failure } from "../../message/failure.ts";

/** Bit 31 of a header: a descriptor goes with the frame. The rest is the length of the payload. */
export const ATTACHED = 0x8000_0000;
export const HEADER_SIZE = 4;

/** Descriptors that may have arrived before the frames they belong to. */
const MAX_WAITING = 16;
/** The buffer of a payload that comes in pieces starts at this size and grows with what has really arrived. */
const FIRST_CARRY = 512;

/** Receives frames. */
export interface FrameSink {
  /** The payload lies in `bytes[start..end]`, which is lent until the call returns. The descriptor is the sink's to close. */
  frame(bytes: Uint8Array, start: number, end: number, descriptor: number | undefined): void;
}

/**
 * Cuts the bytes of a beam connection into frames, and gives each frame that is flagged the oldest descriptor that waits
 * (B-1 to B-5). Memory never runs ahead of the bytes received, whatever a length claims. Closes no descriptor: whoever
 * ends the connection closes those that `release` returns.
 */
export class FrameReader {
  readonly #maxLength: number;
  readonly #header = new Uint8Array(HEADER_SIZE);
  #headerSize = 0;
  /** Of the payload that is awaited; -1 while the header is. */
  #length = -1;
  #carry: Uint8Array = new Uint8Array(0);
  #carried = 0;
  readonly #waiting: number[] = [];
  /** Belongs to the frame that is being read. */
  #descriptor: number | undefined;
  #stopped = false;

  /** `maxLength` bounds payloads. Bytes. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** Bytes of an unfinished frame that are held, its header included. */
  get pending(): number {
    return this.#headerSize + this.#carried;
  }

  /** Makes `push` ignore the rest; to be called from a sink that is done with the connection. */
  stop(): void {
    this.#stopped = true;
    this.#carry = new Uint8Array(0);
    this.#carried = 0;
  }

  /** The descriptors no frame has got, to be closed. */
  release(): number[] {
    const left = this.#waiting.splice(0);
    if (this.#descriptor !== undefined) left.unshift(this.#descriptor);
    this.#descriptor = undefined;
    return left;
  }

  /**
   * Reads a chunk and the descriptors that came with it. Returns the failure when they break the format; the reader is
   * then stopped.
   */
  push(chunk: Uint8Array, descriptors: readonly number[], sink: FrameSink): Failure | undefined {
    for (const descriptor of descriptors) this.#waiting.push(descriptor);
    const size = chunk.length;
    for (let at = 0; at < size && !this.#stopped;) {
      if (this.#length < 0) {
        at = this.#readHeader(chunk, at);
        if (this.#headerSize < HEADER_SIZE) break;
        const refused = this.#begin();
        if (refused !== undefined) return refused;
        if (this.#length === 0) this.#emit(chunk, at, at, sink);
      } else {
        at = this.#readPayload(chunk, at, sink);
      }
    }
    if (this.#stopped || this.#waiting.length <= MAX_WAITING) return undefined;
    return this.#refuse(`more than ${MAX_WAITING} descriptors wait for a flagged frame`); // B-5
  }

  #readHeader(chunk: Uint8Array, start: number): number {
    let at = start;
    while (this.#headerSize < HEADER_SIZE && at < chunk.length)
      this.#header[this.#headerSize++] = chunk[at++]!;
    return at;
  }

  /** The header is there: what it says is checked before anything is made of it. */
  #begin(): Failure | undefined {
    const [first = 0, second = 0, third = 0, fourth = 0] = this.#header;
    const length = ((first & 0x7f) << 24) | (second << 16) | (third << 8) | fourth;
    if (length > this.#maxLength)
      return this.#refuse(`a frame claims ${length} bytes, the limit is ${this.#maxLength}`); // B-3
    if (first > 0x7f) {
      this.#descriptor = this.#waiting.shift();
      if (this.#descriptor === undefined)
        return this.#refuse("a frame is flagged, but no descriptor came with it"); // B-4
    }
    this.#length = length;
    return undefined;
  }

  #readPayload(chunk: Uint8Array, at: number, sink: FrameSink): number {
    const end = Math.min(chunk.length, at + this.#length - this.#carried);
    const isWhole = this.#carried + end - at === this.#length;
    if (isWhole && this.#carried === 0) {
      this.#emit(chunk, at, end, sink);
      return end;
    }
    this.#keep(chunk, at, end);
    if (isWhole) this.#emit(this.#carry, 0, this.#length, sink);
    return end;
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#carried + (end - start);
    if (needed > this.#carry.length) {
      const size = Math.min(this.#length, Math.max(FIRST_CARRY, this.#carry.length * 2, needed));
      const grown = new Uint8Array(size);
      grown.set(this.#carry.subarray(0, this.#carried));
      this.#carry = grown;
    }
    this.#carry.set(chunk.subarray(start, end), this.#carried);
    this.#carried = needed;
  }

  #emit(bytes: Uint8Array, start: number, end: number, sink: FrameSink): void {
    const descriptor = this.#descriptor;
    this.#headerSize = 0;
    this.#length = -1;
    this.#carry = new Uint8Array(0);
    this.#carried = 0;
    this.#descriptor = undefined;
    sink.frame(bytes, start, end, descriptor);
  }

  #refuse(why: string): Failure {
    this.stop();
    return failure("BAD_FRAME", why);
  }
}
