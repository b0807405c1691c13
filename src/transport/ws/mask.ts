import { randomFillSync } from "node:crypto";

/** Bytes of a masking key. */
export const KEY_SIZE = 4;
/** Random bytes fetched at a time. */
const RANDOM_SIZE = 1_024;

/** Keys for the frames of clients: each unpredictable (RFC 6455, section 5.3). */
export class MaskKeys {
  readonly #random = new Uint8Array(RANDOM_SIZE);
  #used = RANDOM_SIZE;

  /** Writes a key to the first four bytes. */
  next(key: Uint8Array): void {
    if (this.#used === RANDOM_SIZE) {
      randomFillSync(this.#random);
      this.#used = 0;
    }
    for (let index = 0; index < KEY_SIZE; index++) key[index] = this.#random[this.#used++]!;
  }
}

/** Below this, setting up a view of words costs more than it saves. */
const WORTH_WORDS = 32;

/** A masking key of four bytes, with which payloads are XORed (RFC 6455, section 5.3). */
export class Mask {
  readonly key: Uint8Array = new Uint8Array(KEY_SIZE);
  /** The key as it meets the first whole word. */
  readonly #turned = new Uint8Array(4);
  readonly #word = new Int32Array(this.#turned.buffer);

  /** Masks or unmasks bytes in place; `phase` bytes of the payload have come before `start`. A word at a time. */
  apply(bytes: Uint8Array, start: number, end: number, phase: number): void {
    if (end - start < WORTH_WORDS) return this.#applyBytes(bytes, start, end, phase);
    const ahead = -(bytes.byteOffset + start) & 3; // until words are aligned
    const from = start + ahead;
    const count = (end - from) >> 2;
    this.#applyBytes(bytes, start, from, phase);
    this.#applyWords(new Int32Array(bytes.buffer, bytes.byteOffset + from, count), phase + ahead);
    this.#applyBytes(bytes, from + 4 * count, end, phase + ahead); // whole words leave the phase as it is
  }

  #applyBytes(bytes: Uint8Array, start: number, end: number, phase: number): void {
    const { key } = this;
    const turn = phase - start;
    for (let at = start; at < end; at++) bytes[at]! ^= key[(at + turn) & 3]!;
  }

  #applyWords(words: Int32Array, phase: number): void {
    for (let index = 0; index < 4; index++) this.#turned[index] = this.key[(phase + index) & 3]!;
    const word = this.#word[0]!; // in the byte order of the platform, like the words
    const { length } = words;
    const fours = length & ~3;
    for (let at = 0; at < fours; at += 4) {
      words[at]! ^= word;
      words[at + 1]! ^= word;
      words[at + 2]! ^= word;
      words[at + 3]! ^= word;
    }
    for (let at = fours; at < length; at++) words[at]! ^= word;
  }
}
