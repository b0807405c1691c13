/** What one session at a hub and the others do when it does not read as fast as it is sent to (P-62, P-66). */
import type { Clock } from "../../runtime/clock.ts";
import type { Route } from "../../message/delivery.ts";
import type { PressureLevel } from "../../session/events.ts";
import type { Session } from "../../session/session.ts";
import type { FullSessions, FullWorkers } from "./full-sessions.ts";
import { HeldBack } from "./held-back.ts";
import type { NativeWorker } from "./worker.ts";

/** No session is held back for longer than this part of `limits.stallTimeout` at a time. */
const LONGEST_HOLD = 0.5;

export interface BackpressureOptions {
  readonly session: Session<Route>;
  /** Its workers, by their registrations. */
  readonly workers: Map<number, NativeWorker>;
  readonly fullSessions: FullSessions<Backpressure>;
  /** Those of its tenant, which is known before it has a worker. */
  readonly fullWorkers: () => FullWorkers<Backpressure>;
  readonly clock: Clock;
  readonly stallTimeout: number;
}

export class Backpressure {
  readonly #session: Session<Route>;
  readonly #workers: Map<number, NativeWorker>;
  readonly #full: FullSessions<Backpressure>;
  readonly #fullWorkers: () => FullWorkers<Backpressure>;
  /** Those that wait for this session to take what waits for it. */
  readonly #heldBack: HeldBack;
  /** What of its bytes counts among those of all sessions that are full. */
  #counted = 0;

  constructor({ session, workers, fullSessions, fullWorkers, clock, stallTimeout }: BackpressureOptions) {
    this.#session = session;
    this.#workers = workers;
    this.#full = fullSessions;
    this.#fullWorkers = fullWorkers;
    this.#heldBack = new HeldBack(clock, stallTimeout * LONGEST_HOLD);
  }

  changed(level: PressureLevel): void {
    switch (level) {
      case "full":
        if (this.#workers.size > 0) this.#fullWorkers().sessions.add(this);
        for (const worker of this.#workers.values()) worker.pause();
        return undefined;
      case "answered":
        this.#count();
        if (this.#full.isShort) this.#full.lastCaller = this;
        return undefined;
      case "less":
        if (this.#counted > 0) this.#count();
        return this.#full.isShort ? undefined : this.#heldBack.releaseAll();
      case "room":
        this.end();
        return this.#resumeWorkers();
    }
  }

  /** The session has one more worker. */
  joined(): void {
    if (this.#session.pressure.isFull) this.#fullWorkers().sessions.add(this);
  }

  keepsWaiting(route: Route): boolean {
    for (const worker of this.#workers.values()) if (worker.keepsWaiting(route)) return true;
    return false;
  }

  /** The session has made a request, which is waiting. */
  requested(route: Route): void {
    this.#fullWorkers().awaited(route)?.holdBack(this);
  }

  /** The session answers a request, while there is no room: it waits as well if the caller's session is full. */
  replied(reply: () => void): void {
    this.#full.lastCaller = undefined;
    reply();
    this.#full.takeLastCaller()?.holdBack(this);
  }

  /** Another session is not read until this one has taken what waits for it, or for a while. */
  holdBack(other: Backpressure): void {
    this.#heldBack.add(other.#session.pressure);
  }

  /** Nothing waits for this session any longer. */
  end(): void {
    this.#full.waiting -= this.#counted;
    this.#counted = 0;
    this.#fullWorkers().sessions.delete(this);
    this.#heldBack.releaseAll();
  }

  #count(): void {
    const { outbox, streams } = this.#session;
    const waiting = Math.max(0, outbox.queued - streams.room);
    this.#full.waiting += waiting - this.#counted;
    this.#counted = waiting;
  }

  /** Until the session is full again. Those that are given something go behind the others, for the next time. */
  #resumeWorkers(): void {
    for (const [number, worker] of [...this.#workers]) {
      if (this.#session.pressure.isFull) return;
      if (this.#workers.get(number) !== worker) continue; // its end came of those before
      this.#workers.delete(number);
      this.#workers.set(number, worker);
      worker.resume();
    }
  }
}
