import { copyOf } from "../message/bytes.ts";
import { failure, type Failure } from "../message/failure.ts";
import { BufferLease } from "../message/buffer-lease.ts";
import { HEADER_SIZE, readAux, readU32, type FrameHeader } from "./frame.ts";

/** Receives frames. */
export interface FrameSink {
  /** The next frames lie in these bytes: they are lent, or, without a lease, they are not written to again. */
  begin(bytes: Uint8Array, loan: BufferLease | undefined): void;
  /** The body lies in `bytes[start..end]`. */
  frame(header: FrameHeader, bytes: Uint8Array, start: number, end: number): void;
  /**
   * Asked of a frame whose body of `length` bytes has not all arrived: true when it may be handed on in parts, each as a
   * frame with this header, as they come.
   */
  isDivisible(header: FrameHeader, length: number): boolean;
}

/** Where the buffers of partial frames that are large are counted, those of many readers together. */
export interface CarryRoom {
  /** False when there is no room. */
  takeUnfinished(bytes: number): boolean;
  giveUnfinished(bytes: number): void;
}

/** Buffers up to this size are not counted. */
const SMALL_CARRY = 65_536;
/** A partial frame's buffer starts at this size and grows with what has really arrived. */
const FIRST_CARRY = 512;

/**
 * Cuts a byte stream into frames. Whole frames are handed on where they lie, and so are the parts of one that is cut by
 * the end of a chunk, if it is divisible; others are copied together. Memory never runs ahead of the bytes received,
 * whatever a length claims.
 */
export class FrameReader {
  #maxBody: number;
  readonly #header: FrameHeader = { type: 0, flags: 0, aux: 0, target: 0, id: 0 };
  #carry: Uint8Array = new Uint8Array(0);
  #carried = 0;
  /** Bytes to come of the frame that is handed on in parts; `#header` is its header. */
  #left = 0;
  /** Paused or stopped: nothing is handed on. */
  #isHalted = false;
  #isStopped = false;
  /** Chunks, or the rest of one, that came to a reader that is paused. Oldest first. */
  #unread: Uint8Array[] = [];
  readonly #room: CarryRoom | undefined;
  /** What `#carry` has taken of it. */
  #taken = 0;
  /** Set when there was none. */
  #refusal: Failure | undefined;

  constructor(maxBody: number, room?: CarryRoom) {
    this.#maxBody = maxBody;
    this.#room = room;
  }

  /** Bytes of an unfinished frame that are held. */
  get pending(): number {
    return this.#carried;
  }

  /** From the next frame on bodies may be this long. */
  allow(maxBody: number): void {
    this.#maxBody = maxBody;
  }

  /**
   * Makes `push` keep what follows the frame that is being handed on, until `resume`. The code that pauses must also ensure that
   * no more than a few chunks come.
   */
  pause(): void {
    this.#isHalted = true;
  }

  /** Reads what was kept, and goes on. Returns as `push` does; it may be paused again by then. */
  resume(sink: FrameSink): Failure | undefined {
    if (!this.#isHalted || this.#isStopped) return undefined;
    this.#isHalted = false;
    while (!this.#isHalted) {
      const chunk = this.#unread.shift();
      if (chunk === undefined) return undefined;
      const broken = this.push(chunk, sink);
      if (broken !== undefined) return broken;
    }
    return undefined;
  }

  /** Makes `push` ignore the rest; to be called from a sink that is done with the connection. */
  stop(): void {
    this.#isHalted = true;
    this.#isStopped = true;
    this.#unread = [];
    this.#letGo();
    this.#carried = 0;
    this.#left = 0;
  }

  /** Reads a chunk. Returns the failure when the bytes break the protocol; the reader is then stopped. */
  push(chunk: Uint8Array, sink: FrameSink, loan: BufferLease = new BufferLease(chunk)): Failure | undefined {
    if (this.#isHalted) return this.#putAside(chunk, 0);
    let at = 0;
    if (this.#carried > 0) {
      at = this.#complete(chunk, sink);
      if (at < 0) return this.#tooLong(readU32(this.#carry, 0));
      if (this.#carried > 0 || this.#refusal !== undefined) return this.#refusal;
      if (this.#isHalted) return this.#putAside(chunk, at);
    }
    const size = chunk.length;
    sink.begin(chunk, loan);
    if (this.#left > 0) at = this.#part(chunk, at, sink);
    if (this.#isHalted) return this.#putAside(chunk, at);
    while (at + HEADER_SIZE <= size) {
      const length = readU32(chunk, at);
      if (length > this.#maxBody) return this.#tooLong(length); // P-3
      const end = at + HEADER_SIZE + length;
      if (end > size) break;
      this.#emit(chunk, at, end, sink);
      at = end;
      if (this.#isHalted) return this.#putAside(chunk, at);
    }
    if (at < size) this.#cut(chunk, at, sink);
    return this.#refusal;
  }

  /** Keeps the rest of a chunk, which goes before the chunks that are kept already: those came after it. */
  #putAside(chunk: Uint8Array, at: number): undefined {
    if (this.#isStopped || at === chunk.length) return;
    const rest = copyOf(chunk, at, chunk.length);
    if (at > 0) this.#unread.unshift(rest);
    else this.#unread.push(rest);
  }

  #emit(bytes: Uint8Array, at: number, end: number, sink: FrameSink): void {
    sink.frame(this.#headerAt(bytes, at), bytes, at + HEADER_SIZE, end);
  }

  #headerAt(bytes: Uint8Array, at: number): FrameHeader {
    const header = this.#header;
    header.type = bytes[at + 4]!;
    header.flags = bytes[at + 5]!;
    header.aux = readAux(bytes, at);
    header.target = readU32(bytes, at + 8);
    header.id = readU32(bytes, at + 12);
    return header;
  }

  /** The chunk ends within the frame that begins at `at`. */
  #cut(chunk: Uint8Array, at: number, sink: FrameSink): void {
    const bodyAt = at + HEADER_SIZE;
    if (bodyAt > chunk.length || !this.#divides(chunk, at, sink)) this.#keep(chunk, at, chunk.length);
    else this.#part(chunk, bodyAt, sink);
  }

  /** Begins to hand on the frame at `at` in parts, if that may be. */
  #divides(bytes: Uint8Array, at: number, sink: FrameSink): boolean {
    const length = readU32(bytes, at);
    if (length === 0 || !sink.isDivisible(this.#headerAt(bytes, at), length)) return false;
    this.#left = length;
    return true;
  }

  /** Hands on what there is of the frame. Returns the offset behind it. */
  #part(chunk: Uint8Array, start: number, sink: FrameSink): number {
    const end = Math.min(chunk.length, start + this.#left);
    this.#left -= end - start;
    if (end > start) sink.frame(this.#header, chunk, start, end);
    return end;
  }

  /**
   * Completes the carried frame, or what divides it. Returns the offset behind that in `chunk`, -1 when its length is over
   * the limit.
   */
  #complete(chunk: Uint8Array, sink: FrameSink): number {
    let at = 0;
    if (this.#carried < HEADER_SIZE) {
      at = Math.min(HEADER_SIZE - this.#carried, chunk.length);
      this.#keep(chunk, 0, at);
      if (this.#carried < HEADER_SIZE) return at;
    }
    const length = readU32(this.#carry, 0);
    if (length > this.#maxBody) return -1;
    if (this.#carried === HEADER_SIZE && this.#divides(this.#carry, 0, sink)) {
      this.#carried = 0;
      return at;
    }
    const whole = HEADER_SIZE + length;
    const taken = Math.min(whole - this.#carried, chunk.length - at);
    this.#keep(chunk, at, at + taken);
    if (this.#carried < whole) return at + taken;
    const frame = this.#carry;
    this.#carried = 0;
    this.#letGo(); // the receiver may keep views of this one
    sink.begin(frame, undefined);
    this.#emit(frame, 0, whole, sink);
    return at + taken;
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#carried + (end - start);
    if (needed > this.#carry.length) {
      const grown = this.#sizeFor(needed);
      if (grown > SMALL_CARRY && !this.#take(grown)) return this.#refuse();
      const carry = new Uint8Array(grown);
      carry.set(this.#carry.subarray(0, this.#carried));
      this.#carry = carry;
    }
    this.#carry.set(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end), this.#carried);
    this.#carried = needed;
  }

  /** Twice what there is, but no more than the frame. */
  #sizeFor(needed: number): number {
    const isKnown = this.#carried >= HEADER_SIZE;
    const whole = isKnown ? HEADER_SIZE + readU32(this.#carry, 0) : Number.MAX_SAFE_INTEGER;
    return Math.max(FIRST_CARRY, Math.min(whole, this.#carry.length * 2), needed);
  }

  /** Counts the buffer as one of so many bytes. */
  #take(size: number): boolean {
    if (this.#room?.takeUnfinished(size - this.#taken) === false) return false;
    this.#taken = size;
    return true;
  }

  #letGo(): void {
    this.#carry = new Uint8Array(0);
    if (this.#taken > 0) this.#room?.giveUnfinished(this.#taken);
    this.#taken = 0;
  }

  #refuse(): void {
    this.stop();
    this.#refusal = failure("TOO_MANY", "the unfinished messages of this caller have too many bytes");
  }

  #tooLong(length: number): Failure {
    this.stop();
    return failure("BAD_FRAME", `a frame claims a body of ${length} bytes, the limit is ${this.#maxBody}`);
  }
}
