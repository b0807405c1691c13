import type { Clock } from "./clock.ts";

/** How long streams have to end by themselves when their owner drains. Milliseconds. */
export const STREAM_GRACE_MS = 5_000;

/** Counts streams that are open, for whoever waits until none is. */
export class OpenStreams {
  #count = 0;
  #onNone: (() => void)[] = [];

  opened(): void {
    this.#count++;
  }

  closed(): void {
    this.#count--;
    if (this.#count === 0) for (const resolve of this.#onNone.splice(0)) resolve();
  }

  /** Resolves when none is open, at the latest after `graceMs`. */
  async ended(clock: Clock, graceMs: number): Promise<void> {
    if (this.#count === 0) return;
    let timer: unknown;
    await new Promise<void>((resolve) => {
      this.#onNone.push(resolve);
      timer = clock.after(graceMs, resolve);
    });
    clock.clear(timer);
  }
}
