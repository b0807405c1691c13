import type { Clock } from "../message/clock.ts";
import type { Limits } from "../message/limits.ts";

/**
 * Finds out when the other end has gone silent: a half-open connection reports nothing by itself. Nothing heard for
 * `heartbeat` ms: a ping; nothing for `heartbeatTimeout` ms more: lost.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #quietMs: number;
  readonly #graceMs: number;
  readonly #on: { ping(): void; lost(): void };
  #timer: unknown;
  #due = 0;
  #heardAt = 0;
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
    this.#heardAt = this.#clock.now();
    this.#arm(this.#heardAt, this.#quietMs);
  }

  stop(): void {
    this.#clock.clear(this.#timer);
  }

  /** Bytes have arrived, whatever they say. */
  heard(): void {
    this.#heardAt = this.#clock.now();
    this.#pinged = false;
  }

  #arm(now: number, delayMs: number): void {
    this.#due = now + delayMs;
    this.#timer = this.#clock.after(delayMs, () => this.#check());
  }

  #check(): void {
    const now = this.#clock.now();
    const left = this.#quietMs - (now - this.#heardAt);
    if (left > 0) {
      this.#arm(now, Math.ceil(left));
    } else if (this.#pinged && now - this.#due < this.#graceMs) {
      this.#on.lost(); // P-80
    } else {
      // Also when this check comes very late: then it was this end that stood still, and the answer to the ping may
      // wait to be read.
      this.#pinged = true;
      this.#on.ping();
      this.#arm(now, this.#graceMs);
    }
  }
}
