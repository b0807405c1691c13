import type { Overflow } from "../message/overflow.ts";
import type { Publication } from "./peer.ts";

/** Publications an iteration may fall behind. */
const MAX_PUBLICATIONS = 65_536;
/** Bytes of payloads and headers it may fall behind; values handed over in the process are not measured. */
const MAX_BYTES = 16_777_216;

interface Kept {
  readonly publication: Publication;
  readonly size: number;
}

/** Publications that an iteration has not read yet, in order. */
export class Inbox {
  readonly #overflow: Overflow;
  #kept: (Kept | undefined)[] = [];
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
    this.#kept.push({ publication, size });
    this.#bytes += size;
    return true;
  }

  /** The oldest. */
  take(): Publication | undefined {
    const kept = this.#kept[this.#first];
    if (kept === undefined) return undefined;
    this.#kept[this.#first++] = undefined;
    this.#bytes -= kept.size;
    if (this.#first * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#first);
      this.#first = 0;
    }
    return kept.publication;
  }

  /** One that is larger than all there may be has room when nothing else is there. */
  #isFull(size: number): boolean {
    const count = this.#kept.length - this.#first;
    return count > 0 && (count >= MAX_PUBLICATIONS || this.#bytes + size > MAX_BYTES);
  }
}
