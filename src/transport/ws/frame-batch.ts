/** What one socket sends in one turn of the loop, so that it goes out in one write. */
import type { Duplex } from "node:stream";
import { headSize, textFrame, writeHead, writeText } from "./text-frame.ts";

/** Longer frames are written as they are, not copied. */
const LARGEST_COPIED = 4_096;
const FIRST_SIZE = 1_024;
const LARGEST_SIZE = 16_384;

/** Sockets that have something to write at the end of this turn of the loop; and a buffer that none of them holds. */
export class WriteQueue {
  #waiting: { flush(): void }[] = [];
  #isScheduled = false;
  #spare: Buffer | undefined;

  add(socket: { flush(): void }): void {
    this.#waiting.push(socket);
    this.#schedule();
  }

  take(size: number): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && spare.length >= size) return spare;
    return Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, 2 ** Math.ceil(Math.log2(size))));
  }

  /** Of several, the largest is kept. */
  giveBack(buffer: Buffer): void {
    if (this.#spare === undefined || this.#spare.length < buffer.length) this.#spare = buffer;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    const turn = this.#waiting;
    this.#waiting = turn.length > SOCKETS_PER_TURN ? turn.splice(SOCKETS_PER_TURN) : [];
    for (const socket of turn) socket.flush();
    if (this.#waiting.length > 0) this.#schedule();
  };
}

/** A system call each: more would keep everything else waiting. */
const SOCKETS_PER_TURN = 512;

export class FrameBatch {
  readonly #socket: Duplex;
  readonly #queue: WriteQueue;
  readonly #onFlushed: () => void;
  /** The first frame of a turn; it is only copied when a second follows. */
  #first: Uint8Array | undefined;
  #buffer: Buffer | undefined;
  #used = 0;
  #isQueued = false;
  /** Bytes of all frames since the start. */
  sent = 0;

  /** `onFlushed` is called when the turn's frames have been written. */
  constructor(socket: Duplex, queue: WriteQueue, onFlushed: () => void) {
    this.#socket = socket;
    this.#queue = queue;
    this.#onFlushed = onFlushed;
  }

  /** Bytes that wait for the end of the turn. */
  get size(): number {
    return this.#used + (this.#first?.length ?? 0);
  }

  addText(text: string | Uint8Array): void {
    const length = typeof text === "string" ? Buffer.byteLength(text) : text.length;
    if (length > LARGEST_COPIED) return this.addFrame(textFrame(text));
    this.#copyFirst();
    const buffer = this.#room(headSize(length) + length);
    writeText(buffer, writeHead(buffer, this.#used, length), text);
    this.#used += headSize(length) + length;
    this.sent += headSize(length) + length;
    this.#schedule();
  }

  /** The frame must not be written to again. */
  addFrame(frame: Uint8Array): void {
    this.sent += frame.length;
    this.#copyFirst();
    if (this.#used === 0) {
      this.#first = frame;
    } else if (frame.length > LARGEST_COPIED) {
      this.write();
      this.#socket.write(frame);
    } else {
      this.#copy(frame);
    }
    this.#schedule();
  }

  /** Writes what waits. */
  write(): void {
    const socket = this.#socket;
    const first = this.#first;
    const buffer = this.#buffer;
    if (first !== undefined) {
      this.#first = undefined;
      socket.write(first);
    }
    if (buffer === undefined) return;
    this.#buffer = undefined;
    socket.write(buffer.subarray(0, this.#used));
    this.#used = 0;
    if (socket.writableLength === 0) this.#queue.giveBack(buffer); // the system has it
  }

  /** Called by the queue. */
  flush(): void {
    this.#isQueued = false;
    this.write();
    this.#onFlushed();
  }

  clear(): void {
    this.#first = undefined;
    this.#buffer = undefined;
    this.#used = 0;
  }

  #schedule(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#queue.add(this);
  }

  #copyFirst(): void {
    const first = this.#first;
    if (first === undefined) return;
    this.#first = undefined;
    if (first.length > LARGEST_COPIED) this.#socket.write(first);
    else this.#copy(first);
  }

  #copy(frame: Uint8Array): void {
    this.#room(frame.length).set(frame, this.#used);
    this.#used += frame.length;
  }

  /** A buffer with so much room behind what is used. */
  #room(size: number): Buffer {
    const buffer = this.#buffer;
    if (buffer === undefined) return (this.#buffer = this.#queue.take(size));
    if (this.#used + size <= buffer.length) return buffer;
    if (this.#used + size > LARGEST_SIZE) {
      this.write();
      return (this.#buffer = this.#queue.take(size));
    }
    const larger = this.#queue.take(this.#used + size);
    larger.set(buffer.subarray(0, this.#used));
    return (this.#buffer = larger);
  }
}
