import type { Route } from "../../message/delivery.ts";

/** A session that may be full. */
export interface MaybeFull {
  /** True when requests on this route wait until it is full no longer. */
  keepsWaiting(route: Route): boolean;
}

/** The workers of one queue group behind this gateway, and how many of them take nothing because their sessions are full. */
export interface SessionGroup {
  workers: number;
  paused: number;
}

/** What the sessions of a gateway know of each other's answers that wait. */
export class FullSessions<S> {
  readonly #limit: number;
  /** The session whose answer was handed on last, if it was full and there was no room for more. */
  lastCaller: S | undefined;
  /** Bytes that wait in sessions that are full of answers. */
  waiting: number = 0;

  /** `limit`: so many bytes may wait. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when more waits than should. */
  get isShort(): boolean {
    return this.waiting > this.#limit;
  }

  /** Whom there was no room for in the answer that was handed on last. Asked once. */
  takeLastCaller(): S | undefined {
    const { lastCaller } = this;
    this.lastCaller = undefined;
    return lastCaller;
  }
}

/** The sessions of one tenant that are full and have workers, and the groups of all its workers. */
export class FullWorkers<S extends MaybeFull> {
  readonly sessions: Set<S> = new Set();
  readonly #groups = new Map<string, SessionGroup>();

  /** Whom a request on this route waits for that was just made, because it is full; undefined: for none. */
  awaited(route: Route): S | undefined {
    for (const session of this.sessions) if (session.keepsWaiting(route)) return session;
    return undefined;
  }

  /** One more worker of this group. */
  join(pattern: string, queue: string): SessionGroup {
    const name = `${queue}\n${pattern}`;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { workers: 0, paused: 0 };
      this.#groups.set(name, group);
    }
    group.workers++;
    return group;
  }

  leave(pattern: string, queue: string): void {
    const name = `${queue}\n${pattern}`;
    const group = this.#groups.get(name);
    if (group !== undefined && --group.workers === 0) this.#groups.delete(name);
  }
}
