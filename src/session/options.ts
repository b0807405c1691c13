import type { Failure } from "../message/failure.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Limits } from "../message/limits.ts";
import type { OpenStreams } from "../stream/open-streams.ts";
import type { SessionCalls, SessionLifecycle, SessionRegistrations } from "./events.ts";
import type { CarryRoom } from "../wire/frame-reader.ts";
import type { DescriptorChannels } from "./side-channels/descriptor-channel.ts";
import type { SideChannels } from "./side-channels/side-channels.ts";
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
 * | state          | meaning                                                        | next                  |
 * |----------------|----------------------------------------------------------------|-----------------------|
 * | greeting       | HELLO or WELCOME is awaited                                    | all others            |
 * | authenticating | HELLO was read, WELCOME waits for the access check; nothing is read          | open, closing, closed |
 * | open           | everything flows                                               | closing, closed       |
 * | closing        | CLOSE was sent or read: nothing more is                        | closed                |
 * | closed         | over                                                           |                       |
 */
export type SessionState = "greeting" | "authenticating" | "open" | "closing" | "closed";

export type SessionLimits = Pick<
  Limits,
  | "payload"
  | "headers"
  | "bindings"
  | "streams"
  | "sessionBuffer"
  | "stallTimeout"
  | "helloTimeout"
  | "heartbeat"
  | "heartbeatTimeout"
>;

/** A session's part of what all sessions of a hub share. */
export interface SessionRoom extends CarryRoom {
  /** False when no more subjects can be bound. */
  takeBinding(): boolean;
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
  /** Where streams are counted that have ended here and still send what they have to. Default: `openStreams`. */
  readonly endingStreams?: OpenStreams | undefined;
  /** What goes beside a connection that offers it. Left out, nothing does. */
  readonly sideChannels?: SideChannels | undefined;
  /** Left out, only the session's own limits hold. */
  readonly room?: SessionRoom | undefined;
  readonly lifecycle: SessionLifecycle;
  readonly calls: SessionCalls<R>;
  readonly registrations: SessionRegistrations;
  /** Dialing: the token of this end (P-140). */
  readonly token?: string | undefined;
  /**
   * Accepting: decides about an end that has greeted with this token. Undefined: it is welcome; a failure: it is not. Left
   * out: everybody is welcome.
   */
  readonly admit?:
    | ((token: string | undefined) => Failure | undefined | Promise<Failure | undefined>)
    | undefined;
  /** Accepting: admits the connections that open a lane. */
  readonly descriptorChannels?: DescriptorChannels;
  /** True while all sessions of the process together have more waiting than they should. */
  readonly isShort?: () => boolean;
  /** First number this end gives to subjects by itself; lower ones are its owner's to give. Default 1. */
  readonly firstBinding?: number;
}
