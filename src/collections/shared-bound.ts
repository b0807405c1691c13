/** Bounds that callers share, so that none of them can use up what is there for all. */

/** So many callers stay known though they have nothing: most come again at once. */
const KNOWN = 64;

/**
 * A bound on something that all callers of a hub share, such as bytes, connections or polls, and on how much of it one
 * caller may have.
 */
export class SharedBound {
  readonly limit: number;
  /** What one caller may have. */
  readonly share: number;
  #taken = 0;
  readonly #byCaller = new Map<string, number>();

  constructor(limit: number, share: number = limit) {
    this.limit = limit;
    this.share = Math.min(share, limit);
  }

  /** What all callers have. */
  get taken(): number {
    return this.#taken;
  }

  /** Callers that are known. */
  get callers(): number {
    return this.#byCaller.size;
  }

  takenBy(caller: string): number {
    return this.#byCaller.get(caller) ?? 0;
  }

  hasRoomFor(caller: string, amount: number): boolean {
    return this.#taken + amount <= this.limit && this.takenBy(caller) + amount <= this.share;
  }

  /** False, with nothing taken, when there is no room. */
  take(caller: string, amount: number): boolean {
    const taken = this.takenBy(caller) + amount;
    if (taken > this.share || this.#taken + amount > this.limit) return false;
    this.#taken += amount;
    this.#byCaller.set(caller, taken);
    return true;
  }

  /** Takes in any case, also past the bound. */
  charge(caller: string, amount: number): void {
    this.#taken += amount;
    this.#byCaller.set(caller, this.takenBy(caller) + amount);
  }

  give(caller: string, amount: number): void {
    const left = this.takenBy(caller) - amount;
    this.#taken -= amount;
    if (left > 0 || this.#byCaller.size <= KNOWN) this.#byCaller.set(caller, left);
    else this.#byCaller.delete(caller);
  }
}

/** Of things that are counted, one caller may have so many in any case. */
export const LEAST_SHARE = 16;

/** The share of one caller: so many percent of a bound, and in any case `least`, such as one message of the largest size. */
export function shareOf(limit: number, percent: number, least = 1): number {
  return Math.min(limit, Math.max(least, Math.floor((limit * percent) / 100)));
}
