/** Time, injected so that a broker or session can be run by a test at its own pace. Monotonic milliseconds. */
export interface Clock {
  now(): number;
  /** Calls back once after `delayMs`; the result goes to `clear`. */
  after(delayMs: number, callback: () => void): unknown;
  clear(timer: unknown): void;
}

/** Looked up once: in Node the global is a getter, which takes as long as the reading. */
const { performance } = globalThis;

/** Monotonic time of the platform: wall-clock jumps do not move deadlines. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (delayMs, callback) => setTimeout(callback, delayMs),
  clear: (timer) => clearTimeout(timer as number),
};

/** Numbers in [0, 1), injected for the same reason. Never used for anything that must be unguessable. */
export type Random = () => number;
