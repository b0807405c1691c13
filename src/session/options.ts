import type { Clock } from "../message/clock.ts";
import type { Limits } from "../message/limits.ts";
import type { OpenStreams } from "../message/open-streams.ts";
import type { SessionCalls, SessionLifecycle, SessionRegistrations } from "./events.ts";
import type { BodyLimits } from "./frame-writer.ts";
import type { Lanes } from "./lane.ts";
import type { Understanding } from "./attachments.ts";
import type { Flusher } from "./outbox.ts";

/** Version of the protocol this code speaks. */
export const PROTOCOL_VERSION = 1;

/** Every end takes header blocks of this size, so that failures always fit. */
export const MIN_HEADERS = 16_384;

/** Longest body before the greeting is done: strangers get no more memory than that. */
export const MAX_GREETING = 16_384;

/**
 * State of a session.
 *
 * | state    | meaning                                  | next                     |
 * |----------|------------------------------------------|--------------------------|
 * | greeting | HELLO or WELCOME is awaited              | open, closing, closed    |
 * | open     | everything flows                         | closing, closed          |
 * | closing  | CLOSE was sent or read: nothing more is  | closed                   |
 * | closed   | over                                     |                          |
 */
export type SessionState = "greeting" | "open" | "closing" | "closed";

export type SessionLimits = Pick<
  Limits,
  | "payload"
  | "headers"
  | "bindings"
  | "streams"
  | "sessionBuffer"
  | "helloTimeout"
  | "heartbeat"
  | "heartbeatTimeout"
>;

/** What the other end has said of itself. */
export interface Greeting {
  readonly name: string;
  /** What it takes. */
  readonly limits: BodyLimits;
  readonly bindings: number;
  readonly streams: number;
  readonly attachments: Understanding;
  /** What to show where a lane is opened; empty where none can be. */
  readonly lane: string;
}

export interface SessionOptions<R> {
  /** The dialing end says HELLO, the accepting end answers WELCOME. */
  readonly role: "dialer" | "acceptor";
  /** Shown in the other end's logs. */
  readonly name: string;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly flusher: Flusher;
  /** Where the session's streams are counted; it may be shared. */
  readonly openStreams?: OpenStreams;
  readonly lifecycle: SessionLifecycle;
  readonly calls: SessionCalls<R>;
  readonly registrations: SessionRegistrations;
  /** Accepting: where those who open a lane are let in. */
  readonly lanes?: Lanes;
  /** First number this end gives to subjects by itself; lower ones are its owner's to give. Default 1. */
  readonly firstBinding?: number;
}
