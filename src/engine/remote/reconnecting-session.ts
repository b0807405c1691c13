import { urlText } from "../../message/url-text.ts";
import { backoffMs, type BackoffLimits } from "../../runtime/backoff.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { OpenStreams } from "../../stream/open-streams.ts";
import type { SessionCalls, SessionRegistrations } from "../../session/events.ts";
import type { SideChannels } from "../../session/side-channels/side-channels.ts";
import type { SessionLimits } from "../../session/options.ts";
import { Flusher } from "../../session/outbox.ts";
import { Session } from "../../session/session.ts";
import type { Connection, TlsOptions, Transport } from "../../transport/transport.ts";
import type { Incoming } from "./registrations.ts";

/** Waits between attempts grow from the first to the last; half of each is random, so that peers do not come as one. */
const BACKOFF: BackoffLimits = { firstMs: 50, lastMs: 800 };
const DIAL_TIMEOUT_MS = 5_000;
/**
 * An attempt of which nothing is heard for the last wait is joined by another, and the first to be welcomed is kept: when
 * a network drops packets, what was sent into the hole may be late for long after it is healed.
 */
const MAX_ATTEMPTS = 8;

/**
 * State of the link to the hub.
 *
 * | state      | meaning                                  | next                  |
 * |------------|------------------------------------------|-----------------------|
 * | connecting | dialing, or waiting to dial again        | connected, closed     |
 * | connected  | a session is open                        | connecting, closed    |
 * | closed     | `close` was called, or nothing is tried any more |               |
 */
export type ReconnectingState = "connecting" | "connected" | "closed";

/** The token of this end: a text, or a function that returns it before each attempt to connect. */
export type Token = string | (() => string | Promise<string>);

const TOKEN = /^[!-~]{1,8192}$/;
/** With the same credentials a hub that has said so says it again (P-143). */
const REFUSALS: ReadonlySet<string> = new Set(["unauthenticated", "permission_denied"]);

/** True for what a greeting can carry. */
export function isToken(value: unknown): value is string {
  return typeof value === "string" && TOKEN.test(value);
}

export interface ReconnectingSessionOptions {
  readonly transport: Transport;
  readonly url: string;
  readonly tls: TlsOptions | undefined;
  readonly name: string;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** What goes beside connections, and where streams are counted that only this still sends. */
  readonly sideChannels: SideChannels | undefined;
  readonly endingStreams: OpenStreams | undefined;
  readonly calls: SessionCalls<Incoming>;
  readonly registrations: SessionRegistrations;
  readonly onOpened: (session: Session<Incoming>) => void;
  /** `byHub`: the hub has said why it ends the session. */
  readonly onLost: (why: Failure, byHub: boolean) => void;
  readonly onDrained: () => void;
  /** The session, which was full, is so no longer. */
  readonly onRoom: () => void;
  readonly onGoaway: (why: Failure) => void;
  /** Asked before each attempt. */
  readonly token: Token | undefined;
  /** Nothing will be tried again: a TypeError for a URL that is not of its transport's form, else why the hub refuses. */
  readonly onGivenUp: (error: TypeError | LintelError) => void;
  readonly onState: (state: ReconnectingState, why: Failure | undefined) => void;
}

/** One attempt to come to a session. */
interface Attempt {
  readonly abort: AbortController;
  session: Session<Incoming> | undefined;
}

/** Keeps a session to a hub: dials, and dials again whenever it is lost, until closed. */
export class ReconnectingSession {
  readonly #options: ReconnectingSessionOptions;
  readonly #flusher = new Flusher();
  readonly #attempts = new Set<Attempt>();
  #state: ReconnectingState = "connecting";
  #session: Session<Incoming> | undefined;
  /** Attempts that have failed since the last session. */
  #failures = 0;
  #timer: unknown;
  #over: (() => void)[] = [];
  /** Why the last attempt failed, for callers that wait for the first connection. */
  lastFailure: Failure | undefined;

  constructor(options: ReconnectingSessionOptions) {
    this.#options = options;
  }

  get state(): ReconnectingState {
    return this.#state;
  }

  /** The session while it is open. */
  get session(): Session<Incoming> | undefined {
    return this.#state === "connected" ? this.#session : undefined;
  }

  start(): void {
    this.#attempt();
  }

  /** Ends the session after what it still has to send, and dials no more. */
  close(): Promise<void> {
    if (this.#state === "closed") return Promise.resolve();
    this.#enter("closed", undefined);
    this.#options.clock.clear(this.#timer);
    this.#abandonAttempts();
    const session = this.#session;
    if (session === undefined || session.state === "closed") return Promise.resolve();
    return new Promise((resolve) => {
      this.#over.push(resolve);
      session.close(failure("CLOSED", "the peer was closed"));
    });
  }

  #attempt(): void {
    if (this.#attempts.size < MAX_ATTEMPTS) {
      const attempt: Attempt = { abort: new AbortController(), session: undefined };
      this.#attempts.add(attempt);
      void this.#dial(attempt);
    }
    this.#attemptAfter(Infinity);
  }

  /** Tries, or tries once more, after the wait that follows so many failures. */
  #attemptAfter(failures: number): void {
    const { clock, random } = this.#options;
    clock.clear(this.#timer);
    this.#timer = clock.after(backoffMs(BACKOFF, failures, random), () => this.#attempt());
  }

  async #dial(attempt: Attempt): Promise<void> {
    const { transport, url, tls, token: given } = this.#options;
    try {
      const token = typeof given === "function" ? await askFor(given) : given;
      const connection = await transport.dial(url, {
        ...(tls === undefined ? {} : { tls }),
        timeoutMs: DIAL_TIMEOUT_MS,
        signal: attempt.abort.signal,
      });
      if (this.#attempts.has(attempt)) this.#greet(attempt, connection, token);
      else connection.abort();
    } catch (error) {
      if (!this.#attempts.delete(attempt)) return;
      if (error instanceof TypeError) return this.#giveUp(error); // a URL that is none will never be one
      this.#retry(failure("NOT_CONNECTED", `cannot connect to ${urlText(url)}: ${describe(error)}`));
    }
  }

  #giveUp(error: TypeError | LintelError): void {
    this.lastFailure = toFailure(error, failure("NOT_CONNECTED", error.message));
    this.#abandonAttempts();
    this.#options.clock.clear(this.#timer);
    this.#enter("closed", this.lastFailure);
    this.#options.onGivenUp(error);
  }

  #greet(attempt: Attempt, connection: Connection, token: string | undefined): void {
    const { name, limits, clock, calls, registrations, onDrained, onGoaway } = this.#options;
    const { sideChannels, endingStreams } = this.#options;
    const session = new Session<Incoming>(connection, {
      role: "dialer",
      name,
      token,
      limits,
      clock,
      flusher: this.#flusher,
      calls,
      registrations,
      sideChannels,
      endingStreams,
      lifecycle: {
        opened: () => this.#opened(attempt, session),
        goaway: onGoaway,
        drained: onDrained,
        pressure: (level) => {
          if (level === "room" && this.session === session) this.#options.onRoom();
        },
        ended: (why) => this.#ended(attempt, session, why),
        closed: () => {
          if (this.#state === "closed") for (const resolve of this.#over.splice(0)) resolve();
        },
      },
    });
    attempt.session = session;
    session.start();
  }

  #opened(attempt: Attempt, session: Session<Incoming>): void {
    this.#attempts.delete(attempt);
    this.#abandonAttempts();
    this.#options.clock.clear(this.#timer);
    this.#session = session;
    this.#failures = 0;
    this.#enter("connected", undefined);
    this.#options.onOpened(session);
  }

  #ended(attempt: Attempt, session: Session<Incoming>, why: Failure): void {
    if (this.#attempts.delete(attempt)) {
      const isRefused = session.wasClosedByPeer && REFUSALS.has(why.code);
      return isRefused ? this.#giveUp(LintelError.from(why)) : this.#retry(why);
    }
    if (this.#session !== session) return undefined; // another was faster
    const wasConnected = this.#state === "connected";
    this.#session = undefined;
    if (wasConnected) this.#retry(why);
    if (wasConnected) this.#options.onLost(why, session.wasClosedByPeer);
    return undefined;
  }

  #abandonAttempts(): void {
    const attempts = [...this.#attempts];
    this.#attempts.clear();
    for (const { abort, session } of attempts) {
      abort.abort();
      session?.abort(failure("CLOSED", "this attempt to connect is no longer needed"));
    }
  }

  #retry(why: Failure): void {
    if (this.#state === "closed") return;
    this.lastFailure = why;
    this.#enter("connecting", why);
    this.#attemptAfter(++this.#failures);
  }

  #enter(state: ReconnectingState, why: Failure | undefined): void {
    this.#state = state;
    this.#options.onState(state, why);
  }
}

async function askFor(token: () => string | Promise<string>): Promise<string> {
  let given: unknown;
  try {
    given = await token();
  } catch (cause) {
    throw new Error(`the function \`token\` failed: ${describe(cause)}`, { cause });
  }
  if (isToken(given)) return given;
  throw new Error("the function `token` gave no token of 1 to 8,192 printable characters without spaces");
}

function describe(error: unknown): string {
  if (error instanceof LintelError || error instanceof Error) {
    // Node reports a host with several addresses as an AggregateError with an empty message.
    if (error instanceof AggregateError) return error.errors.map((one) => describe(one)).join("; ");
    return error.message;
  }
  return String(error);
}
