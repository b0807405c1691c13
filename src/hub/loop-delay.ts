import { monitorEventLoopDelay } from "node:perf_hooks";

/** How late the event loop of this process was. Milliseconds. */
export interface LoopDelay {
  /** At the worst. */
  readonly max: number;
  /** Ninety-nine of a hundred times it was not later than this. */
  readonly p99: number;
}

/** Time between two looks at the loop. Milliseconds. */
const RESOLUTION = 10;

/** Looks a hundred times a second how late the loop is, which costs next to nothing. */
export class LoopWatch {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION });

  constructor() {
    this.#histogram.enable();
  }

  /** Since the last time it was asked. */
  take(): LoopDelay {
    const { count, max } = this.#histogram;
    const p99 = count === 0 ? 0 : this.#histogram.percentile(99);
    this.#histogram.reset();
    return { max: lateness(count === 0 ? 0 : max), p99: lateness(p99) };
  }

  stop(): void {
    this.#histogram.disable();
  }
}

/** Node counts the time from one look to the next, in nanoseconds. */
function lateness(nanoseconds: number): number {
  return Math.max(0, Math.round(nanoseconds / 10_000 - RESOLUTION * 100) / 100);
}
