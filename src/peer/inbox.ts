import type { Overflow } from "../message/overflow.ts";
import type { Publication } from "./peer.ts";

/** Publications an iteration may fall behind. */
const MAX_PUBLICATIONS = 65_536;
/** Bytes of payloads and headers it may fall behind; values handed over in the process are not measured. */
const MAX_BYTES = 16_777_216;

/** Places that have been read are given back when there are so many of them, and more than there are others. */
const COMPACT_AT = 1_024;

/** Publications that an iteration has not read yet, in order. */
export class Inbox {
  readonly #overflow: Overflow;
  #kept: (Publication | undefined)[] = [];
  #sizes: number[] = [];
  #first = 0;
  #bytes = 0;
  #dropped = 0;

  constructor(overflow: Overflow) {
    this.#overflow = overflow;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Adds one, or drops one. False when it must not drop any: it has no room, and the policy is to end. */
  add(publication: Publication, size: number): boolean {
    if (this.#isFull(size)) {
      if (this.#overflow === "disconnect") return false;
      this.#dropped++;
      if (this.#overflow === "drop-newest") return true;
      this.take();
      while (this.#isFull(size)) {
        this.#dropped++;
        this.take();
      }
    }
    this.#kept.push(publication);
    this.#sizes.push(size);
    this.#bytes += size;
    return true;
  }

  /** The oldest. */
  take(): Publication | undefined {
    const publication = this.#kept[this.#first];
    if (publication === undefined) return undefined;
    this.#bytes -= this.#sizes[this.#first]!;
    this.#kept[this.#first++] = undefined;
    if (this.#first >= COMPACT_AT && this.#first * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#first);
      this.#sizes = this.#sizes.slice(this.#first);
      this.#first = 0;
    }
    return publication;
  }

  /** One that is larger than all there may be has room when nothing else is there. */
  #isFull(size: number): boolean {
    const count = this.#kept.length - this.#first;
    return count > 0 && (count >= MAX_PUBLICATIONS || this.#bytes + size > MAX_BYTES);
  }
}
