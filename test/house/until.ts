/** Waiting for what no event tells. */
import { setTimeout as pause } from "node:timers/promises";

/** What a test waits for comes within this, or never: far longer than the slowest machine needs. Milliseconds. */
export const PATIENCE_MS = 60_000;

/** Between two checks, which may read a lot: soon at first, then less often. Milliseconds. */
const FIRST_PAUSE_MS = 1;
const LAST_PAUSE_MS = 20;

/** Waits until the check gives something, which it returns. Throws when nothing has come in all that time. */
export async function until<T>(
  check: () => T | Promise<T>,
  what = "what the test waits for",
): Promise<NonNullable<T>> {
  const end = performance.now() + PATIENCE_MS;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
    const found = await check();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > end) throw new Error(`not in ${PATIENCE_MS / 1_000} s: ${what}`);
    await pause(pauseMs);
  }
}
