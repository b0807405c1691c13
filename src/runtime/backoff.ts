/** How long to wait before something is tried again. */
import type { Random } from "./clock.ts";

export interface BackoffLimits {
  /** The longest wait after the first failure, and after any number of them. Milliseconds. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** For a wait that is the same every time. */
export const NO_JITTER: Random = () => 1;

/**
 * Milliseconds to wait after so many failures in a row, from 1: the wait doubles with each of them, and half of it is random,
 * so that many that failed together do not all try again at once.
 */
export function backoffMs({ firstMs, lastMs }: BackoffLimits, failures: number, random: Random): number {
  const longest = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), lastMs);
  return Math.round(longest * (0.5 + random() / 2));
}
