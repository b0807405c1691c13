/**
 * The receivers of messages. These callbacks are the hot path: numbers instead of promises, messages borrowed for
 * the duration of the call. They must not throw, because the calling code is in the middle of other work.
 */
import type { Failure } from "./failure.ts";
import type { Message } from "./message.ts";
import type { Origin } from "./origin.ts";
import type { Overflow } from "./overflow.ts";

/** Receives the outcome of requests. For each tag exactly one of the two is called, once, unless it was canceled. */
export interface Sink {
  answered(tag: number, answer: Message): void;
  failed(tag: number, failure: Failure): void;
  /** The caller of the request with this tag: called when its bytes are kept. Left out: the process itself. */
  callerOf?(tag: number): string;
  /**
   * Where the request with this tag comes from: asked before its outcome is delivered, or while it is canceled, and only
   * where somebody observes. Left out: the process itself.
   */
  originOf?(tag: number): Origin;
}

/** Executes requests. Ends each job once through its registration, which it has before the first job comes (E-11). */
export interface Worker {
  /** True when it keeps the bytes of requests until they end. They count as bytes that are kept for their callers. */
  readonly keepsRequests?: boolean;
  /** Where it is, for observers. Left out: in the process itself. */
  readonly origin?: Origin | undefined;
  /**
   * `timeoutMs` is what is left until the deadline, counted from `now` by the engine's clock. Job numbers are no secret: the
   * broker checks which worker holds a job. `attempt` counts from 1 how often the request has been handed to a worker.
   */
  execute(job: number, route: Route, request: Message, timeoutMs: number, now: number, attempt: number): void;
  /** This job's answer is no longer wanted; an answer that comes anyway is counted and dropped. */
  cancel(job: number, why: Failure): void;
}

/** Receives publications. */
export interface Subscriber {
  /** Where it is, for observers. Left out: in the process itself. */
  readonly origin?: Origin | undefined;
  deliver(route: Route, publication: Message): void;
  /** So many publications were dropped on the way here. Optional. */
  missed?(route: Route, count: number): void;
}

/** A worker's place in a queue group. */
export interface Registration {
  /** Resolves when requests can arrive; rejects when the engine refused. */
  readonly ready: Promise<void>;
  /**
   * Answers a job; false when the job is not held (any longer) by this worker: late or duplicate, counted. `now` is when the
   * answer came, by the engine's clock, for those who know it; else the engine looks where somebody observes.
   */
  reply(job: number, answer: Message, now?: number): boolean;
  /** Fails a job; false as for `reply`. */
  fail(job: number, failure: Failure): boolean;
  /** Takes nothing new; jobs already held may still be answered. Resolves when no more can come: some may be under way. */
  leave(): Promise<void>;
  /** Leaves at once: jobs still held fail as `WORKER_LOST`, or go to others where the group says so. */
  lose(): void;
  /** For workers that are ready by turns. Undefined where the engine cannot do it. */
  readonly capacity?: Capacity | undefined;
}

/** A worker's say in how much it takes, and what it keeps. */
export interface Capacity {
  /** From now on the worker takes so many requests at a time, possibly none. What waits is handed out before this returns. */
  resize(concurrency: number): void;
  /** The job takes none of the worker's places any more. It is held until it ends all the same. */
  detach(job: number): void;
  /**
   * Gives a job back, to be handed out before all that waits; `request` is what was given with it. `executed` is false when
   * no worker has seen it: then it counts as no attempt. False if the job is not held, or no worker is left to take it.
   */
  release(job: number, request: Message, executed: boolean): boolean;
}

/** A subscriber's interest in a pattern. */
export interface Subscription {
  /** Resolves when publications made from now on arrive; rejects when the engine refused. */
  readonly ready: Promise<void>;
  close(): void;
}

/** What clients can be enabled to do while a hub runs. The place is the number on the wire, less one (P-147). */
export const ENABLED_VERBS = ["publish", "subscribe", "request"] as const;
export type EnabledVerb = (typeof ENABLED_VERBS)[number];

/** Lets the clients of a hub do more than its configuration does. */
export interface Enabler {
  /** Lets clients do this with the subjects of the pattern, until it is closed. Throws what `serve` of an engine throws. */
  enable(verb: EnabledVerb, pattern: string, options?: Endable): Enabling;
}

export interface Enabling {
  /** Resolves when clients may do it; rejects when the hub refused. Nobody has to handle the rejection. */
  readonly ready: Promise<void>;
  /** Resolves when the hub has ended it. */
  close(): Promise<void>;
}

/** A literal subject prepared for repeated use, so that no message pays for looking it up. */
export interface Route {
  readonly subject: string;
}

/** Tells the owner of a registration about its end. */
export interface Endable {
  /** Called once if the engine ends a registration that was ready: nothing more comes. */
  readonly onEnded?: ((why: Failure) => void) | undefined;
}

export interface SubscribeOptions extends Endable {
  /** What becomes of publications for a subscriber that does not keep up. Default "drop-newest". */
  readonly overflow?: Overflow | undefined;
}

export interface ServeOptions extends Endable {
  /** Queue group; workers with the same subject and queue share its requests. Default: one group for all. */
  readonly queue?: string | undefined;
  /** Requests the worker holds at a time; more wait in the group's queue. */
  readonly concurrency?: number | undefined;
  /**
   * Times a request is handed out when workers that hold it are lost. Default 1: at most once. The highest number that
   * any worker of the group has named counts. Requests that carry streams are handed out once.
   */
  readonly attempts?: number | undefined;
}
