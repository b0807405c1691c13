import type { Clock } from "../runtime/clock.ts";

export interface StallWatchOptions {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly timeoutMs: number;
  /** Bytes that the other end's side has taken, since the start. */
  readonly taken: () => number;
  /** So many must be taken within the timeout. */
  readonly required: () => number;
  /** Too few were. Called once for each start. */
  readonly stalled: () => void;
}

/** Looks so many times within the timeout. */
const LOOKS = 4;

/** Finds out that the other end takes nothing of what waits for it. Runs only while something waits. */
export class StallWatch {
  readonly #options: StallWatchOptions;
  #timer: unknown;
  #due = 0;
  /** When enough had been taken the last time, and how much it was in all. */
  #since = 0;
  #taken = 0;

  constructor(options: StallWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#begin(this.#options.clock.now());
    this.#arm(this.#since);
  }

  stop(): void {
    this.#options.clock.clear(this.#timer);
  }

  #begin(now: number): void {
    this.#since = now;
    this.#taken = this.#options.taken();
  }

  #arm(now: number): void {
    const { clock, timeoutMs } = this.#options;
    const delay = Math.min(timeoutMs / LOOKS, Math.max(1, this.#since + timeoutMs - now));
    this.#due = now + delay;
    this.#timer = clock.after(delay, () => this.#look());
  }

  #look(): void {
    const { clock, timeoutMs, taken, required, stalled } = this.#options;
    const now = clock.now();
    // A look that comes very late says that this end stood still, not the other.
    const isLate = now - this.#due > timeoutMs / LOOKS;
    if (isLate || taken() - this.#taken >= required()) this.#begin(now);
    else if (now - this.#since >= timeoutMs) return stalled();
    return this.#arm(now);
  }
}
