/** Runs of publications for more sessions than one turn of the loop may write to. */
import type { FanOutTarget, Feed } from "./feed.ts";

/** Sessions that are written to in one turn. */
export const TARGETS_PER_TURN = 256;

/** Bytes of runs that may wait. Past it they are written at once, however long that takes. */
const MAX_WAITING = 33_554_432;

interface WaitingRun {
  readonly feed: Feed;
  readonly targets: readonly FanOutTarget[];
  readonly policies: Feed["policies"];
  /** The frames, which are no longer written to, and how many they are. */
  readonly frames: Uint8Array;
  readonly count: number;
  /** What a session has to take for it: sizes of its one frame, or 0 where all take it. */
  readonly payload: number;
  readonly headers: number;
  /** The target whose turn it is. */
  next: number;
  /** Those that had it before their turn. */
  ahead: Set<FanOutTarget> | undefined;
}

/** Hands runs to their sessions in the order in which they were published. */
export class WaitingRuns {
  readonly #runs: WaitingRun[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** Takes a run over, for all targets of its feed as they are now. */
  add(feed: Feed, frames: Uint8Array, count: number, payload = 0, headers = 0): void {
    const { targets, policies } = feed;
    this.#runs.push({ feed, targets, policies, frames, count, payload, headers, next: 0, ahead: undefined });
    this.#bytes += frames.length;
    if (this.#bytes > MAX_WAITING) this.deliver(Infinity);
  }

  /** Writes to so many sessions. */
  deliver(limit: number): void {
    let left = limit;
    for (let run = this.#runs[0]; run !== undefined && left > 0; run = this.#runs[0]) {
      for (; run.next < run.targets.length && left > 0; left--) deliver(run, run.next++);
      if (run.next < run.targets.length) return;
      this.#bytes -= run.frames.length;
      this.#runs.shift();
    }
  }

  /** The target takes no more: what was published before goes there now. */
  finish(target: FanOutTarget): void {
    for (const run of this.#runs) {
      const at = run.targets.indexOf(target, run.next);
      if (at < 0) continue;
      deliver(run, at);
      run.ahead ??= new Set();
      run.ahead.add(target);
    }
  }
}

function deliver(
  { feed, targets, policies, frames, count, payload, headers, ahead }: WaitingRun,
  at: number,
): void {
  const target = targets[at]!;
  if (ahead?.has(target) === true) return;
  if (payload > target.maxPayload || headers > target.maxHeaders) return target.tooLarge(feed); // P-31, P-64
  if (target.isSlow) return target.overflow(feed, count, policies[at]!, () => frames); // P-61
  target.bindFeed(feed);
  if (target.outbox.isEmpty) target.outbox.sendDirect(frames);
  else target.outbox.append(frames);
}
