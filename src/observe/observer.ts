/** What a program may watch of a hub: every outcome, publication, session and registration, each from one place. */
import type { Failure } from "../message/failure.ts";
import type { Origin } from "../message/origin.ts";
import type { Code } from "../message/status.ts";

/**
 * Give one to `createHub({ observer })`. Every method is optional, and what has no method costs nothing. Methods are called
 * in the middle of routing: they should return quickly. What they throw reaches `onError`, the first time for each
 * method, and changes nothing else.
 */
export interface Observer {
  /** A request has ended. Called once for each request, whatever its outcome. */
  settled?(request: SettledRequest): void;
  /** A message was published, and handed to so many subscribers. Sessions that subscribe to one pattern count as one. */
  published?(subject: string, deliveries: number): void;
  /** A session of the native protocol has begun or is over. */
  session?(event: SessionEvent): void;
  /** A worker or a subscriber is there, or is there no longer. */
  registration?(event: RegistrationEvent): void;
  /** So many publications were dropped on their way to a session, or on their way from one to the engine. */
  dropped?(subject: string, count: number, cause: DropCause): void;
  /** A worker has answered a request that had ended, or that it does not hold. The answer was dropped. */
  lateReply?(event: LateReply): void;
  /** A worker over HTTP asks for jobs of a subject, each time it does; or none has done so for the linger time. */
  poll?(event: PollEvent): void;
  /** Something was refused: a caller was not let in, or may not do what it wants. Called once for each time. */
  refused?(event: Refused): void;
  /** Who may do what has changed, or the hub's own certificates have. */
  administered?(event: Administered): void;
  /** An HTTP request has ended, whether or not it became a request for a subject. */
  httpRequest?(record: RequestRecord): void;
}

/** A request and its outcome. `gateway`, `remote` and `principal` are those of its caller. */
export interface SettledRequest extends Origin {
  readonly subject: string;
  /** `ok` when it was answered, else the code of the failure. */
  readonly code: Code | "ok";
  /** The reason of the failure; undefined when it was answered. */
  readonly reason: string | undefined;
  /** The worker that had it, or had it last; undefined when none did. */
  readonly worker: Origin | undefined;
  /** How often it was handed to a worker. */
  readonly attempts: number;
  /** The time that its caller gave it. Milliseconds, as are the next two. */
  readonly timeoutMs: number;
  /** How long it waited for a worker, all attempts together. */
  readonly queuedMs: number;
  /** How long workers had it, all attempts together. */
  readonly workerMs: number;
}

/** A session begins with its connection: who is at the other end is known only when it is closed. */
export interface SessionEvent extends Origin {
  readonly event: "opened" | "closed";
  /** Why it was closed; undefined when it has begun. */
  readonly why: Failure | undefined;
}

/** `gateway`, `remote` and `principal` are those of the worker or subscriber. */
export interface RegistrationEvent extends Origin {
  readonly event: "added" | "removed";
  readonly kind: "service" | "subscription";
  readonly pattern: string;
  /** The queue group of a service, "" for the default one. */
  readonly queue: string;
}

/**
 * Why publications were dropped: the new or the old ones, for a session that does not keep up; those that are larger than the
 * session takes; those that the engine did not take from their publisher; or those that the hub in which this one is a
 * session (`upstream`) has dropped.
 */
export type DropCause = "newest" | "oldest" | "too-large" | "untaken" | "upstream";

/** `gateway`, `remote` and `principal` are those of the worker. */
export interface LateReply extends Origin {
  /** What the worker serves. */
  readonly pattern: string;
}

export interface PollEvent {
  readonly event: "polled" | "left";
  readonly subject: string;
}

/**
 * `gateway` and `remote` say where it came from; `principal` is undefined for a caller that was not let in. No credentials are in
 * it.
 */
export interface Refused extends Origin {
  /**
   * What it wanted to do, as in `Access.may`, or `enable`; undefined when it was not let in, or when a web page may not send
   * requests here.
   */
  readonly verb: string | undefined;
  /** What it wanted to do it with: a subject or a pattern, or the path of a web page's request. */
  readonly subject: string | undefined;
  readonly code: Code;
  readonly reason: string;
}

/** `principal` is who has done it; undefined when it was a file that has changed, or the hub's own process. */
export interface Administered extends Origin {
  /**
   * - `key added`, `key revoked`: the keys file has changed. A key whose rights have changed is revoked, and added
   * - `certificates changed`: of a URL of the hub
   * - `enabled`, `disabled`: clients may do it from now on, or no longer
   * - `used`: the verb `admin` was granted
   */
  readonly action: "key added" | "key revoked" | "certificates changed" | "enabled" | "disabled" | "used";
  /** The name of a key, a URL, a pattern, or what is administered. */
  readonly name: string;
  /** What clients are enabled to do. */
  readonly verb?: string | undefined;
}

/** One finished HTTP request, for a log. `path` has no query: what is in a query may be secret. */
export interface RequestRecord {
  /** Empty when the bytes that came were no HTTP request. */
  readonly method: string;
  readonly path: string;
  /** Undefined when the request was refused before it had one. */
  readonly subject: string | undefined;
  /** Status sent; 499 when the caller left before there was an answer. */
  readonly status: number;
  /** Reason of the failure; undefined when the request was answered. */
  readonly reason: string | undefined;
  /** From the request's headers to the answer. */
  readonly ms: number;
}
