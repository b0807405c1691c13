import type { Sample } from "./sample.ts";

/** Between two looks at the clock: sequential awaits never leave the microtask queue, so a timer could not stop them. */
const CALLS_PER_LOOK = 1_000;

/** Awaits one call after the other, the way application code does. */
export async function measureCalls(
  call: (value: unknown) => Promise<unknown>,
  seconds: number,
): Promise<Sample> {
  const value = { order: 17, items: ["beam", "post"], paid: true };
  const from = performance.now();
  const until = from + seconds * 1_000;
  let calls = 0;
  let now = from;
  while (now < until) {
    for (let count = 0; count < CALLS_PER_LOOK; count++) await call(value);
    calls += CALLS_PER_LOOK;
    now = performance.now();
  }
  const elapsedSeconds = (now - from) / 1_000;
  return { rate: calls / elapsedSeconds, cost: elapsedSeconds / calls };
}
