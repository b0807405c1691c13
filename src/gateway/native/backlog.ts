import type { Feed } from "./feed.ts";

/** Publications on one subject, as frames that follow each other. */
export interface Kept {
  readonly feed: Feed;
  readonly frames: Uint8Array;
  readonly count: number;
}

/** What keeping one costs besides its bytes, so that many small ones are bounded as well. */
const KEPT_COST = 256;

/** Where the bytes of all backlogs are counted. */
export interface BacklogRoom {
  /** False when there is no room. */
  takeBacklog(bytes: number): boolean;
  giveBacklog(bytes: number): void;
}

/** The newest publications for a session that is slow, in order. */
export class Backlog {
  readonly #limit: number;
  #kept: (Kept | undefined)[] = [];
  #first = 0;
  #size = 0;
  readonly #room: BacklogRoom | undefined;

  constructor(limit: number, room?: BacklogRoom) {
    this.#limit = limit;
    this.#room = room;
  }

  /**
   * Adds the newest, however large. Tells of the oldest for which there is no room any more; where other sessions have taken
   * all of it, of the newest itself.
   */
  add(newest: Kept, dropped: (oldest: Kept) => void): void {
    const size = sizeOf(newest);
    while (this.#first < this.#kept.length && this.#size + size > this.#limit) this.#dropOldest(dropped);
    let hasRoom = this.#room?.takeBacklog(size) !== false;
    while (!hasRoom && this.#first < this.#kept.length) {
      this.#dropOldest(dropped);
      hasRoom = this.#room?.takeBacklog(size) !== false;
    }
    if (hasRoom) {
      this.#kept.push(newest);
      this.#size += size;
    } else {
      dropped(newest);
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
    this.#room?.giveBacklog(this.#size);
    this.#size = 0;
    return kept;
  }

  #dropOldest(dropped: (oldest: Kept) => void): void {
    const oldest = this.#kept[this.#first]!;
    this.#kept[this.#first++] = undefined;
    this.#size -= sizeOf(oldest);
    this.#room?.giveBacklog(sizeOf(oldest));
    dropped(oldest);
  }
}

function sizeOf({ frames }: Kept): number {
  return frames.length + KEPT_COST;
}
