import type { Clock, Random } from "../../message/clock.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { SessionCalls, SessionRegistrations } from "../../session/events.ts";
import type { SessionLimits } from "../../session/options.ts";
import { Flusher } from "../../session/outbox.ts";
import { Session } from "../../session/session.ts";
import type { Connection, TlsOptions, Transport } from "../../transport/transport.ts";
import type { Incoming } from "./registrations.ts";

/** Waits between attempts grow from the first to the last; half of each is random, so that peers do not come as one. */
const FIRST_BACKOFF_MS = 50;
const LAST_BACKOFF_MS = 1_000;
const DIAL_TIMEOUT_MS = 5_000;

/**
 * State of the link to the hub.
 *
 * | state      | meaning                                  | next                  |
 * |------------|------------------------------------------|-----------------------|
 * | connecting | dialing, or waiting to dial again        | connected, closed     |
 * | connected  | a session is open                        | connecting, closed    |
 * | closed     | `close` was called                       |                       |
 */
export type LinkState = "connecting" | "connected" | "closed";

export interface LinkOptions {
  readonly transport: Transport;
  readonly url: string;
  readonly tls: TlsOptions | undefined;
  readonly name: string;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly calls: SessionCalls<Incoming>;
  readonly registrations: SessionRegistrations;
  readonly onOpened: (session: Session<Incoming>) => void;
  readonly onLost: (why: Failure) => void;
  readonly onDrained: () => void;
  readonly onGoaway: (why: Failure) => void;
  readonly onState: (state: LinkState, why: Failure | undefined) => void;
}

/** Keeps a session to a hub: dials, and dials again whenever it is lost, until closed. */
export class Link {
  readonly #options: LinkOptions;
  readonly #flusher = new Flusher();
  readonly #abort = new AbortController();
  #state: LinkState = "connecting";
  #session: Session<Incoming> | undefined;
  #backoff = FIRST_BACKOFF_MS;
  #timer: unknown;
  #over: (() => void)[] = [];
  /** Why the last attempt failed, for those who wait for the first. */
  lastFailure: Failure | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** The session while it is open. */
  get session(): Session<Incoming> | undefined {
    return this.#state === "connected" ? this.#session : undefined;
  }

  start(): void {
    void this.#dial();
  }

  /** Ends the session after what it still has to send, and dials no more. */
  close(): Promise<void> {
    if (this.#state === "closed") return Promise.resolve();
    this.#enter("closed", undefined);
    this.#abort.abort();
    this.#options.clock.clear(this.#timer);
    const session = this.#session;
    if (session === undefined || session.state === "closed") return Promise.resolve();
    return new Promise((resolve) => {
      this.#over.push(resolve);
      session.fail(failure("CLOSED", "the peer was closed"));
    });
  }

  async #dial(): Promise<void> {
    const { transport, url, tls } = this.#options;
    try {
      const connection = await transport.dial(url, {
        ...(tls === undefined ? {} : { tls }),
        timeoutMs: DIAL_TIMEOUT_MS,
        signal: this.#abort.signal,
      });
      if (this.#state === "closed") connection.abort();
      else this.#greet(connection);
    } catch (error) {
      this.#retry(failure("NOT_CONNECTED", `cannot connect to ${url}: ${describe(error)}`));
    }
  }

  #greet(connection: Connection): void {
    const { name, limits, clock, calls, registrations, onDrained, onGoaway, onOpened } = this.#options;
    const session = new Session<Incoming>(connection, {
      role: "dialer",
      name,
      limits,
      clock,
      flusher: this.#flusher,
      calls,
      registrations,
      lifecycle: {
        opened: () => {
          this.#backoff = FIRST_BACKOFF_MS;
          this.#enter("connected", undefined);
          onOpened(session);
        },
        goaway: onGoaway,
        drained: onDrained,
        ended: (why) => this.#lost(why),
        closed: () => {
          for (const resolve of this.#over.splice(0)) resolve();
        },
      },
    });
    this.#session = session;
    session.start();
  }

  #lost(why: Failure): void {
    const wasConnected = this.#state === "connected";
    this.#session = undefined;
    if (this.#state !== "closed") this.#retry(why);
    if (wasConnected) this.#options.onLost(why);
  }

  #retry(why: Failure): void {
    if (this.#state === "closed") return;
    this.lastFailure = why;
    this.#enter("connecting", why);
    const { clock, random } = this.#options;
    const delay = this.#backoff * (0.5 + random() / 2);
    this.#backoff = Math.min(this.#backoff * 2, LAST_BACKOFF_MS);
    this.#timer = clock.after(delay, () => void this.#dial());
  }

  #enter(state: LinkState, why: Failure | undefined): void {
    this.#state = state;
    this.#options.onState(state, why);
  }
}

function describe(error: unknown): string {
  if (error instanceof LintelError || error instanceof Error) {
    // Node reports a host with several addresses as an AggregateError with an empty message.
    if (error instanceof AggregateError) return error.errors.map((one) => describe(one)).join("; ");
    return error.message;
  }
  return String(error);
}
