/** Handles the publications for one session that does not keep up (P-61), and reports drops (P-65). */
import type { Overflow } from "../../message/overflow.ts";
import type { DropCause, Observer } from "../../observe/observer.ts";
import type { Outbox } from "../../session/outbox.ts";
import { Backlog, type BacklogRoom } from "./backlog.ts";
import type { Feed } from "./feed.ts";

/** Causes that a hub itself can have. */
export type OwnDropCause = Exclude<DropCause, "upstream">;

/** Counts publications that were not sent, for all sessions of a gateway, and tells the observer. */
export class PublicationDrops {
  readonly counts: Record<OwnDropCause, number> = { newest: 0, oldest: 0, "too-large": 0, untaken: 0 };
  readonly #observer: Observer | undefined;

  constructor(observer: Observer | undefined) {
    this.#observer = observer;
  }

  add(cause: OwnDropCause, subject: string, count: number): void {
    this.counts[cause] += count;
    this.#observer?.dropped?.(subject, count, cause);
  }
}

interface SlowSession {
  readonly outbox: Outbox;
  /** Tells the session that publications of the feed are missing at this point. */
  tell(feed: Feed, count: number): void;
  bindFeed(feed: Feed): void;
  /** Ends the session as `SLOW_CONSUMER`, not in the middle of what goes on. */
  endSlow(): void;
}

/** Subjects of which a session is told at a time how much it has missed. */
const MAX_TOLD = 1_024;

export class SlowConsumer {
  readonly #session: SlowSession;
  readonly #limit: number;
  readonly #drops: PublicationDrops;
  readonly #backlog: Backlog;
  /** What the session will be told has been dropped. */
  readonly #untold = new Map<Feed, number>();
  #isSlow = false;

  /** `limit`: the bytes waiting past which it is slow, and the bytes of its backlog. */
  constructor(session: SlowSession, limit: number, drops: PublicationDrops, room?: BacklogRoom) {
    this.#session = session;
    this.#limit = limit;
    this.#drops = drops;
    this.#backlog = new Backlog(limit, room);
  }

  /** True from when more waits than the limit until all of it is written. Asked before every publication. */
  check(): boolean {
    if (!this.#isSlow) this.#isSlow = this.#session.outbox.queued > this.#limit;
    return this.#isSlow;
  }

  /** A run of publications for a session that is slow; `keep` gives a copy of its frames. */
  overflow(feed: Feed, count: number, policy: Overflow, keep: () => Uint8Array): void {
    switch (policy) {
      case "drop-newest":
        this.#drops.add("newest", feed.route.subject, count);
        return this.#missing(feed, count);
      case "drop-oldest":
        return this.#backlog.add({ feed, count, frames: keep() }, (oldest) => {
          this.#drops.add("oldest", oldest.feed.route.subject, oldest.count);
          this.#missing(oldest.feed, oldest.count);
        });
      case "disconnect":
        return this.#session.endSlow();
    }
  }

  /** A publication the session does not take. */
  tooLarge(feed: Feed): void {
    this.#drops.add("too-large", feed.route.subject, 1);
    this.missed(feed, 1);
  }

  /** Publications are missing from here on, and the session is told as soon as that is so at its end. */
  missed(feed: Feed, count: number): void {
    if (this.check()) this.#missing(feed, count);
    else this.#session.tell(feed, count);
  }

  /** Everything has been written: what was missed goes first, then what was kept. */
  drained(): void {
    if (!this.#isSlow) return;
    this.#isSlow = false;
    for (const [feed, count] of this.#untold) this.#session.tell(feed, count);
    this.#untold.clear();
    for (const { feed, frames } of this.#backlog.take()) {
      this.#session.bindFeed(feed);
      this.#session.outbox.append(frames);
    }
  }

  /** The session has ended. */
  clear(): void {
    this.#untold.clear();
    this.#backlog.take();
  }

  #missing(feed: Feed, count: number): void {
    const before = this.#untold.get(feed);
    if (before !== undefined || this.#untold.size < MAX_TOLD) this.#untold.set(feed, (before ?? 0) + count);
  }
}
