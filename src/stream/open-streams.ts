import type { Clock } from "../runtime/clock.ts";

/** How long streams have to end by themselves when their owner drains. Milliseconds. */
export const STREAM_GRACE_MS = 5_000;

/** How often a drain looks which streams move. One that was never read is not waited for any longer then. Milliseconds. */
const ROUND_MS = 500;

/** One that was read before is waited for through so many rounds without a move: its connection may be slow. */
const QUIET_ROUNDS = 4;

/** An end of a stream, as seen by code that waits for its end. */
export interface OpenStream {
  /** Grows when something flows to a reader, or the reader asks for more. 0: it has not been read yet. */
  readonly moves: number;
  /** True while a reader waits for what its sender has yet to send. */
  readonly isAwaited: boolean;
}

/** What a drain has seen of a stream: its moves, and for how many rounds they have not changed. */
interface Seen {
  readonly moves: number;
  readonly quiet: number;
}

/** The open streams, for code that waits until none is left. */
export class OpenStreams {
  readonly #streams = new Set<OpenStream>();
  #onNone: (() => void)[] = [];

  opened(stream: OpenStream): void {
    this.#streams.add(stream);
  }

  closed(stream: OpenStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) for (const resolve of this.#onNone.splice(0)) resolve();
  }

  /**
   * Resolves when no stream is open, at the latest after `graceMs`; earlier when all that are left stand still, because
   * they are not read: then waiting would change nothing.
   */
  async ended(clock: Clock, graceMs: number): Promise<void> {
    let seen = new Map<OpenStream, Seen>();
    for (const one of this.#streams) seen.set(one, { moves: one.moves, quiet: 0 });
    for (let left = graceMs; this.#streams.size > 0 && left > 0; left -= ROUND_MS) {
      await this.#none(clock, Math.min(left, ROUND_MS));
      const now = new Map<OpenStream, Seen>();
      let isInUse = false;
      for (const one of this.#streams) {
        const { moves } = one;
        const before = seen.get(one);
        const quiet = before?.moves === moves && !one.isAwaited ? before.quiet + 1 : 0;
        now.set(one, { moves, quiet });
        if (quiet < (moves === 0 ? 1 : QUIET_ROUNDS)) isInUse = true;
      }
      if (!isInUse) return;
      seen = now;
    }
  }

  /** Resolves when no stream is open, or after this time. */
  async #none(clock: Clock, ms: number): Promise<void> {
    let timer: unknown;
    await new Promise<void>((resolve) => {
      this.#onNone.push(resolve);
      timer = clock.after(ms, () => {
        this.#onNone.splice(this.#onNone.indexOf(resolve), 1);
        resolve();
      });
    });
    clock.clear(timer);
  }
}
