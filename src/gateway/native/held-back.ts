import type { Clock } from "../../runtime/clock.ts";

/** What can be kept from reading: a session's pressure. */
export interface Holdable {
  hold(): void;
  release(): void;
}

/**
 * Sessions that are not read until one other session has taken what waits for it (P-66). They go on after a while in any
 * case: that one must not be able to stop them for good.
 */
export class HeldBack {
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #sessions = new Set<Holdable>();
  #timer: unknown;

  constructor(clock: Clock, longestMs: number) {
    this.#clock = clock;
    this.#longestMs = longestMs;
  }

  add(session: Holdable): void {
    if (this.#sessions.has(session)) return;
    if (this.#sessions.size === 0) this.#timer = this.#clock.after(this.#longestMs, () => this.releaseAll());
    this.#sessions.add(session);
    session.hold();
  }

  releaseAll(): void {
    if (this.#sessions.size === 0) return;
    this.#clock.clear(this.#timer);
    const sessions = [...this.#sessions];
    this.#sessions.clear();
    for (const session of sessions) session.release();
  }
}
