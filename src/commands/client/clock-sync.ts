/**
 * The server's time, from a clock that may be wrong: a few pings are sent one after the other, and the one that came back
 * fastest tells how far the clocks are apart. The error is at most half of that round trip and what the server rounds.
 */
import type { Clock } from "../../runtime/clock.ts";

/** Pings of one measurement. */
const SAMPLES = 5;
/** Between two measurements. Milliseconds. */
const INTERVAL_MS = 3_600_000;
/** When the wall clock and the monotonic clock drift apart by more than this, one of them jumped. Milliseconds. */
const JUMP_MS = 1_000;
/** Servers tell whole milliseconds. */
const RESOLUTION_MS = 1;

export interface ClockSyncOptions {
  /** Monotonic time. */
  readonly clock: Clock;
  /** The wall clock of this machine: milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Asks the server for its time: milliseconds since 1970. Rejects when there is no answer. */
  readonly ping: () => Promise<unknown>;
}

/** What the fastest ping told. */
interface Sample {
  readonly roundTripMs: number;
  /** What to add to the monotonic clock for the server's time. */
  readonly offsetMs: number;
}

/** Keeps the difference between this machine's clock and the server's. */
export class ClockSync {
  readonly #options: ClockSyncOptions;
  /** The round of measurements that is under way or planned; a later one makes it end. */
  #round = 0;
  #timer: unknown;
  #best: Sample | undefined;
  /** Wall clock minus monotonic clock at the last measurement. */
  #wallOffsetMs = 0;

  constructor(options: ClockSyncOptions) {
    this.#options = options;
  }

  /**
   * The server's time: milliseconds since 1970, with fractions. Until the first measurement it is this machine's. A later jump
   * of this machine's wall clock does not move it; when it is noticed here, a new measurement begins.
   */
  now(): number {
    const { clock, wallClock } = this.#options;
    if (this.#best === undefined) return wallClock();
    const drift = wallClock() - clock.now() - this.#wallOffsetMs;
    if (Math.abs(drift) > JUMP_MS && this.#timer !== undefined) void this.start(); // asleep, or the clock was set
    return clock.now() + this.#best.offsetMs;
  }

  /** `now()` is off by no more than this. Undefined before the first measurement. */
  get maxErrorMs(): number | undefined {
    return this.#best === undefined ? undefined : this.#best.roundTripMs / 2 + RESOLUTION_MS;
  }

  /** Measures now, and then every hour, until `stop`. Resolves after the first measurement. */
  async start(): Promise<void> {
    const { clock, wallClock } = this.#options;
    this.stop();
    const round = this.#round;
    const best = await this.#measure(round);
    if (round !== this.#round) return;
    if (best !== undefined) this.#best = best;
    this.#wallOffsetMs = wallClock() - clock.now();
    this.#timer = clock.after(INTERVAL_MS, () => void this.start());
  }

  /** What was measured stays. */
  stop(): void {
    this.#round++;
    this.#options.clock.clear(this.#timer);
    this.#timer = undefined;
  }

  async #measure(round: number): Promise<Sample | undefined> {
    let best: Sample | undefined;
    for (let count = 0; count < SAMPLES && round === this.#round; count++) {
      const sample = await this.#sample();
      if (sample === undefined) return best; // no connection, or no such action: the next ping would not fare better
      if (best === undefined || sample.roundTripMs < best.roundTripMs) best = sample;
    }
    return best;
  }

  async #sample(): Promise<Sample | undefined> {
    const { clock, ping } = this.#options;
    const sentAt = clock.now();
    try {
      const serverMs = await ping();
      if (typeof serverMs !== "number" || !Number.isFinite(serverMs)) return undefined;
      const roundTripMs = clock.now() - sentAt;
      return { roundTripMs, offsetMs: serverMs + RESOLUTION_MS / 2 - (sentAt + roundTripMs / 2) };
    } catch {
      return undefined; // the time stays as it was, which the caller of `now` can see by `maxErrorMs`
    }
  }
}
