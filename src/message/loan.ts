import { copyOf } from "./bytes.ts";

/** Bytes that others will take the place of when the call they are lent for returns: what a read of a socket gave. */
export class Loan {
  #bytes: Uint8Array;
  /** Asking an array for its memory costs as much as making a view: it is done once. */
  #memory: ArrayBufferLike;
  #offset: number;
  #copied = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#memory = bytes.buffer;
    this.#offset = bytes.byteOffset;
  }

  /** A part, good for as long as the loan. */
  view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.#memory, this.#offset + start, end - start);
  }

  /**
   * A part to keep. The first one copies all of the bytes, for many messages come in one read: views of one copy are
   * several times cheaper than a copy for each.
   */
  keep(start: number, end: number): Uint8Array {
    if (!this.#copied) {
      const copy = copyOf(this.#bytes, 0, this.#bytes.length);
      this.#bytes = copy;
      this.#memory = copy.buffer;
      this.#offset = copy.byteOffset;
      this.#copied = true;
    }
    return this.view(start, end);
  }
}
