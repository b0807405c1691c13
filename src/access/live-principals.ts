import { MAX_TIMEOUT } from "../message/limits.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Decisions } from "./decisions.ts";

/** Expired credentials are looked for at most this often. Milliseconds. */
const PAUSE_MS = 10;

/**
 * All principals that something is held for, however long ago they were admitted, so that none is missed when credentials are
 * revoked or expire. They are held weakly: a request, a session, a kept answer holds its principal, and a request needs no entry
 * of its own here.
 */
export class LivePrincipals {
  readonly #clock: Clock;
  readonly #timeOfDay: () => number;
  readonly #live = new Set<WeakRef<Decisions>>();
  readonly #collected = new FinalizationRegistry<WeakRef<Decisions>>((gone) => this.#live.delete(gone));
  #timer: unknown;
  /** When the timer is due, in milliseconds since 1970. */
  #due = Infinity;
  /** When it was due last, by the clock. */
  #lookedAt = -Infinity;
  #isClosed = false;

  constructor(clock: Clock, timeOfDay: () => number) {
    this.#clock = clock;
    this.#timeOfDay = timeOfDay;
  }

  add(decisions: Decisions): void {
    const reference = new WeakRef(decisions);
    this.#live.add(reference);
    this.#collected.register(decisions, reference);
    this.#expect(decisions.principal.expiresAt ?? Infinity);
  }

  /** Those that have not ended. */
  all(): Decisions[] {
    const all: Decisions[] = [];
    for (const reference of this.#live) {
      const decisions = reference.deref();
      if (decisions?.isOver === false) all.push(decisions);
      else this.#live.delete(reference);
    }
    return all;
  }

  /** Nothing expires any more. */
  close(): void {
    this.#isClosed = true;
    this.#clock.clear(this.#timer);
  }

  /** Sets the timer, unless it is due before. */
  #expect(expiresAt: number): void {
    if (expiresAt >= this.#due || this.#isClosed) return;
    this.#due = expiresAt;
    this.#clock.clear(this.#timer);
    const pause = this.#lookedAt + PAUSE_MS - this.#clock.now();
    const wait = Math.max(1, pause, expiresAt - this.#timeOfDay());
    this.#timer = this.#clock.after(Math.min(MAX_TIMEOUT, wait), () => this.#look());
  }

  /** Ends those that have expired. */
  #look(): void {
    this.#lookedAt = this.#clock.now();
    this.#due = Infinity;
    let next = Infinity;
    for (const decisions of this.all()) {
      const { over, principal } = decisions; // it ends when it is looked at
      if (over === undefined) next = Math.min(next, principal.expiresAt ?? Infinity);
    }
    this.#expect(next);
  }
}
