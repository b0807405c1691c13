import type { Feed } from "./fan-out.ts";

/** Publications on one subject, as frames that follow each other. */
export interface Kept {
  readonly feed: Feed;
  readonly frames: Uint8Array;
  readonly count: number;
}

/** What keeping one costs besides its bytes, so that many small ones are bounded as well. */
const KEPT_COST = 256;

/** The newest publications for a session that is slow, in order. */
export class Backlog {
  readonly #limit: number;
  #kept: (Kept | undefined)[] = [];
  #first = 0;
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds the newest, however large. Tells of the oldest for which there is no room any more. */
  add(newest: Kept, dropped: (oldest: Kept) => void): void {
    this.#kept.push(newest);
    this.#size += sizeOf(newest);
    while (this.#size > this.#limit && this.#first < this.#kept.length - 1) {
      const oldest = this.#kept[this.#first]!;
      this.#kept[this.#first++] = undefined;
      this.#size -= sizeOf(oldest);
      dropped(oldest);
    }
    if (this.#first * 2 <= this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#first);
    this.#first = 0;
  }

  /** Everything, in order; nothing is left. */
  take(): Kept[] {
    const kept = this.#kept.slice(this.#first) as Kept[]; // those before are the ones that are gone
    this.#kept = [];
    this.#first = 0;
    this.#size = 0;
    return kept;
  }
}

function sizeOf({ frames }: Kept): number {
  return frames.length + KEPT_COST;
}
