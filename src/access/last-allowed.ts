import type { Route } from "../message/delivery.ts";
import type { Clock } from "../runtime/clock.ts";
import type { DecisionsOf } from "./audited-decisions.ts";

/** So long the time of day is not looked at for credentials that expire. Milliseconds. */
const LOOK_MS = 1_000;

/**
 * What was allowed last. Most sessions ask for the same again and again, and that is allowed without a look at any table or at
 * the time of day: nothing that could change it has happened since.
 */
export class LastAllowed {
  readonly #decisions: DecisionsOf;
  readonly #clock: Clock;
  #route: Route | undefined;
  #version = -1;
  /** By the clock. */
  #until = 0;

  constructor(decisions: DecisionsOf, clock: Clock) {
    this.#decisions = decisions;
    this.#clock = clock;
  }

  /** `now` is by the clock, where it is at hand. False means that nothing is known. */
  isAllowed(route: Route, now: number | undefined): boolean {
    if (route !== this.#route || this.#decisions.isOver) return false;
    if (this.#version !== this.#decisions.enablement.version) return false;
    return this.#until === Infinity || (now !== undefined && now < this.#until);
  }

  remember(route: Route): void {
    this.#route = route;
    this.#version = this.#decisions.enablement.version;
    const { leftMs } = this.#decisions;
    this.#until = leftMs === Infinity ? Infinity : this.#clock.now() + Math.min(LOOK_MS, leftMs);
  }
}
