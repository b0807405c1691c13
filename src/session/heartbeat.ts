import type { Clock } from "../message/clock.ts";
import type { Limits } from "../message/limits.ts";

/** Finds out when the other end has gone silent: a half-open connection reports nothing by itself. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #quietMs: number;
  readonly #graceMs: number;
  readonly #on: { ping(): void; lost(): void };
  #timer: unknown;
  /** Set by every arrival, cleared by every check: cheaper than asking the time for each chunk. */
  #heard = false;
  #pinged = false;

  constructor(
    clock: Clock,
    limits: Pick<Limits, "heartbeat" | "heartbeatTimeout">,
    on: { ping(): void; lost(): void },
  ) {
    this.#clock = clock;
    this.#quietMs = limits.heartbeat;
    this.#graceMs = limits.heartbeatTimeout;
    this.#on = on;
  }

  start(): void {
    this.#arm(this.#quietMs);
  }

  stop(): void {
    this.#clock.clear(this.#timer);
  }

  heard(): void {
    this.#heard = true;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => this.#check());
  }

  #check(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#pinged = false;
      this.#arm(this.#quietMs);
    } else if (this.#pinged) {
      this.#on.lost();
    } else {
      this.#pinged = true;
      this.#on.ping();
      this.#arm(this.#graceMs);
    }
  }
}
