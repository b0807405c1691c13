/** What the sessions of a hub share, and how much of it the sessions of one caller may have. */
import type { Limits } from "../../message/limits.ts";
import { LEAST_SHARE, SharedBound, shareOf } from "../../collections/shared-bound.ts";
import type { BacklogRoom } from "./backlog.ts";
import type { SessionRoom } from "../../session/options.ts";

/** Services and subscriptions of all sessions. */
const MAX_REGISTRATIONS = 262_144;
/** Subjects that the other ends of all sessions have bound. */
const MAX_BINDINGS = 1_048_576;
/** Bytes of messages that have not all arrived, for each that `limits.queueBytes` has: they are there for a moment. */
const UNFINISHED = 4;
/** Backlogs that all sessions may have full. */
const FULL_BACKLOGS = 32;

export type SharedLimits = Pick<
  Limits,
  "sessions" | "callerShare" | "sessionBuffer" | "queueBytes" | "registrations" | "bindings" | "payload"
>;

export class SessionShares {
  readonly sessions: SharedBound;
  readonly registrations: SharedBound;
  readonly bindings: SharedBound;
  readonly unfinished: SharedBound;
  /** Bytes of publications that are kept for sessions that are slow. */
  readonly backlogs: SharedBound;

  /** One session may always have what the limits of a session give it. */
  constructor(limits: SharedLimits) {
    const { sessions, callerShare, queueBytes, registrations, bindings, payload, sessionBuffer } = limits;
    const bound = (limit: number, least: number): SharedBound =>
      new SharedBound(limit, shareOf(limit, callerShare, least));
    this.sessions = bound(sessions, LEAST_SHARE);
    this.registrations = bound(Math.max(MAX_REGISTRATIONS, registrations), registrations);
    this.bindings = bound(Math.max(MAX_BINDINGS, bindings), bindings);
    this.unfinished = bound(UNFINISHED * Math.max(queueBytes, payload), UNFINISHED * payload);
    this.backlogs = bound(FULL_BACKLOGS * sessionBuffer, sessionBuffer);
  }
}

/** What one session has of it. */
export class SessionShare implements SessionRoom, BacklogRoom {
  readonly caller: string;
  readonly #shares: SessionShares;
  #isCounted = false;
  #registrations = 0;
  #bindings = 0;
  #unfinished = 0;
  #backlog = 0;

  constructor(shares: SessionShares, caller: string) {
    this.#shares = shares;
    this.caller = caller;
  }

  takeSession(): boolean {
    this.#isCounted = this.#shares.sessions.take(this.caller, 1);
    return this.#isCounted;
  }

  takeBinding(): boolean {
    if (!this.#shares.bindings.take(this.caller, 1)) return false;
    this.#bindings++;
    return true;
  }

  takeRegistration(): boolean {
    if (!this.#shares.registrations.take(this.caller, 1)) return false;
    this.#registrations++;
    return true;
  }

  giveRegistration(): void {
    this.#registrations--;
    this.#shares.registrations.give(this.caller, 1);
  }

  takeUnfinished(bytes: number): boolean {
    if (!this.#shares.unfinished.take(this.caller, bytes)) return false;
    this.#unfinished += bytes;
    return true;
  }

  giveUnfinished(bytes: number): void {
    this.#unfinished -= bytes;
    this.#shares.unfinished.give(this.caller, bytes);
  }

  takeBacklog(bytes: number): boolean {
    if (!this.#shares.backlogs.take(this.caller, bytes)) return false;
    this.#backlog += bytes;
    return true;
  }

  giveBacklog(bytes: number): void {
    this.#backlog -= bytes;
    this.#shares.backlogs.give(this.caller, bytes);
  }

  /** The session is over. */
  end(): void {
    if (this.#isCounted) this.#shares.sessions.give(this.caller, 1);
    this.#isCounted = false;
    this.#shares.bindings.give(this.caller, this.#bindings);
    this.#shares.registrations.give(this.caller, this.#registrations);
    this.#shares.unfinished.give(this.caller, this.#unfinished);
    this.#shares.backlogs.give(this.caller, this.#backlog);
    this.#backlog = 0;
    this.#bindings = 0;
    this.#registrations = 0;
    this.#unfinished = 0;
  }
}
