import { copyOf } from "./bytes.ts";

/** Bytes that others will take the place of when the call they are lent for returns: what a read of a socket gave. */
export class BufferLease {
  #bytes: Uint8Array;
  /** Asking an array for its memory costs as much as making a view: it is done once. */
  #memory: ArrayBufferLike;
  #offset: number;
  readonly #isOffered: boolean;
  #isKept = false;
  #isTaken = false;

  /** `isOffered`: code that wants to keep the bytes may take them. */
  constructor(bytes: Uint8Array, isOffered = false) {
    this.#bytes = bytes;
    this.#memory = bytes.buffer;
    this.#offset = bytes.byteOffset;
    this.#isOffered = isOffered;
  }

  /** True if the bytes were taken: they must not be written to any more. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** A part, good for as long as the loan. */
  view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.#memory, this.#offset + start, end - start);
  }

  /**
   * A part to keep. The first one takes the bytes, if they are offered, or copies them all: many messages come in one
   * read, and views of one copy are several times cheaper than a copy for each.
   */
  keep(start: number, end: number): Uint8Array {
    if (!this.#isKept) this.#keepAll();
    return this.view(start, end);
  }

  #keepAll(): void {
    this.#isKept = true;
    if (this.#isOffered) {
      this.#isTaken = true;
      return;
    }
    const copy = copyOf(this.#bytes, 0, this.#bytes.length);
    this.#bytes = copy;
    this.#memory = copy.buffer;
    this.#offset = copy.byteOffset;
  }
}
