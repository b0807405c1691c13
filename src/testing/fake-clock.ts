import type { Clock } from "../runtime/clock.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now: number;
  /** In the order they fire. */
  readonly #timers: Timer[] = [];

  constructor(now = 0) {
    this.#now = now;
  }

  /** Timers that are armed. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  /** As the platform does, takes a delay past 2,147,483,647 ms, or one that is no number, for 1 ms. */
  after(delayMs: number, callback: () => void): unknown {
    const delay = delayMs <= MAX_TIMEOUT ? Math.max(0, delayMs) : 1;
    const timer: Timer = { at: this.#now + delay, callback };
    const later = this.#timers.findIndex((other) => other.at > timer.at);
    this.#timers.splice(later < 0 ? this.#timers.length : later, 0, timer);
    return timer;
  }

  clear(timer: unknown): void {
    const index = this.#timers.indexOf(timer as Timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  /**
   * Lets `ms` milliseconds pass. Timers that are due by then fire in order of time, and those for the same time in the
   * order they were armed; also timers that the callbacks arm.
   */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`a clock cannot advance by ${ms} ms`);
    const until = this.#now + ms;
    for (let timer = this.#timers[0]; timer !== undefined && timer.at <= until; timer = this.#timers[0]) {
      this.#timers.shift();
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
    }
    this.#now = until;
  }
}
