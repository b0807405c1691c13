import type { Clock } from "./clock.ts";
import type { Limits } from "../message/limits.ts";

/** An end that does not read for a while is heard of by the other this often. Milliseconds. */
const HELD_PING_MS = 500;

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
  #pingedAt = 0;
  /** When bytes arrived last, by the clock: one look at it for all messages of a read. */
  heardAt = 0;
  /** 1: pinged since something was heard; 2: its time was over then. */
  #looks = 0;
  /** This end does not read, so that hearing nothing means nothing. */
  #isHeld = false;

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
    this.heardAt = this.#clock.now();
    this.#arm(this.heardAt, this.#quietMs);
  }

  stop(): void {
    this.#clock.clear(this.#timer);
  }

  /** Bytes have arrived, whatever they say. */
  heard(): void {
    this.heardAt = this.#clock.now();
    this.#looks = 0;
  }

  /** This end reads nothing from now on. The other one must still be notified (P-66). */
  hold(): void {
    this.#isHeld = true;
    this.#restart(Math.min(HELD_PING_MS, this.#quietMs));
  }

  /** This end reads again. */
  release(): void {
    this.#isHeld = false;
    this.heard();
    this.#restart(this.#quietMs);
  }

  #restart(delayMs: number): void {
    this.#clock.clear(this.#timer);
    this.#arm(this.#clock.now(), delayMs);
  }

  #arm(now: number, delayMs: number): void {
    this.#due = now + delayMs;
    this.#timer = this.#clock.after(delayMs, () => this.#check());
  }

  #check(): void {
    const now = this.#clock.now();
    if (this.#isHeld) {
      this.#on.ping();
      return this.#arm(now, Math.min(HELD_PING_MS, this.#quietMs));
    }
    const left = this.#quietMs - (now - this.heardAt);
    if (left > 0) {
      this.#arm(now, Math.ceil(left));
    } else if (this.#looks > 0 && now - this.#due < this.#graceMs) {
      const grace = this.#graceMs - (now - this.#pingedAt);
      if (grace > 0) return this.#arm(now, Math.min(this.#quietMs, Math.ceil(grace)));
      if (this.#looks === 2) return this.#on.lost(); // P-80
      this.#looks = 2; // timers go before what is to be read: the answer may have come
      this.#arm(now, 0);
    } else {
      // Also when this check comes very late: then it was this end that stood still, and the answer to the ping may
      // wait to be read.
      this.#looks = 1;
      this.#pingedAt = now;
      this.#on.ping();
      this.#arm(now, Math.min(this.#quietMs, this.#graceMs));
    }
  }
}
