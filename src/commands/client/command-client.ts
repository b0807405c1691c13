import { LintelError } from "../../message/failure.ts";
import { defer, type Deferred } from "../../runtime/deferred.ts";
import type { CommandConnection } from "../connection.ts";
import type { CommandHandlers } from "../handlers.ts";
import { settingsOf, type CommandSettings } from "../options.ts";
import type { CallOptions } from "../peer.ts";
import type { ActionOf, Actions, AnyActions, CallArguments, ResultOf } from "./actions.ts";
import {
  clientSettingsOf,
  type ClientCallOptions,
  type ClientSettings,
  type ClientTimes,
  type CommandClientOptions,
  type ConnectCallback,
  type DisconnectCallback,
} from "./client-options.ts";
import { ClockSync } from "./clock-sync.ts";
import { callRetrying } from "./retrying.ts";
import { ServerLink } from "./server-link.ts";
import type { CommandTarget } from "./target.ts";
import { TypedHandlers } from "./typed-handlers.ts";

/**
 * | state      | meaning                                              | next               |
 * |------------|------------------------------------------------------|--------------------|
 * | connecting | dialing, showing the token, or waiting to dial again | connected, closed  |
 * | connected  | commands go to the server                            | connecting, closed |
 * | closed     | `close` was called                                   |                    |
 */
export type CommandClientState = "connecting" | "connected" | "closed";

/** They are all made again on each connection. */
const MAX_ANNOUNCEMENTS = 4_096;

/**
 * Commands to and from one server. `Remote` says which actions the server has, and `Local` which ones this end has for the
 * server. After a lost connection the client connects again, without a limit of attempts. Its handlers stay.
 */
export class CommandClient<
  Remote extends Actions<Remote> = AnyActions,
  Local extends Actions<Local> = AnyActions,
> extends TypedHandlers<Local> {
  /** The server, for logs. */
  readonly name: string;
  readonly #settings: ClientSettings & Pick<CommandSettings, "onError">;
  readonly #times: ClientTimes;
  readonly #link: ServerLink;
  readonly #sync: ClockSync | undefined;
  readonly #onConnect = new Set<ConnectCallback>();
  readonly #onDisconnect = new Set<DisconnectCallback>();
  readonly #announcements = new Set<{ readonly action: string; readonly body: unknown }>();
  readonly #first: Deferred = defer();
  #state: CommandClientState = "connecting";
  #cache: Map<string, unknown> = new Map();
  #lastFailure: LintelError | undefined;

  /** Dials nothing before `start`. */
  constructor(
    target: CommandTarget,
    options: CommandClientOptions,
    handlers: CommandHandlers,
    times: ClientTimes,
  ) {
    const { token, tokenIn = "upgrade", onConnect, onDisconnect, clockSync = true } = options;
    const { clock, wallClock } = times;
    super(handlers);
    this.name = target.name;
    this.#settings = { ...clientSettingsOf(options), onError: settingsOf(options).onError };
    this.#times = times;
    this.#first.promise.catch(() => undefined); // `connected` hands it out, to whom it may concern
    if (onConnect !== undefined) this.#onConnect.add(onConnect);
    if (onDisconnect !== undefined) this.#onDisconnect.add(onDisconnect);
    const ping = (): Promise<unknown> => this.#callOnce("drs.ping", undefined, {});
    this.#sync = clockSync ? new ClockSync({ clock, wallClock, ping }) : undefined;
    this.#link = new ServerLink({
      target,
      token,
      tokenIn,
      heartbeatMs: this.#settings.heartbeatMs,
      times,
      connection: { ...options, shared: handlers, clock, epochMs: wallClock },
      onReady: (connection) => this.#ready(connection),
      onLost: (connection, why) => this.#lost(connection, why),
      onFailed: (error) => this.#failed(error),
    });
  }

  /** Connects, for ever. */
  begin(): void {
    this.#link.start();
  }

  /** Connects. Resolves with the first connection; rejects, and closes, when there is none in time or the token is refused. */
  async start(): Promise<void> {
    const { connectTimeoutMs } = this.#settings;
    const { clock } = this.#times;
    const timer = clock.after(connectTimeoutMs, () => {
      const last = this.#lastFailure?.message ?? `no connection to ${this.name}`;
      this.#first.reject(LintelError.of("NOT_CONNECTED", `${last} (tried for ${connectTimeoutMs} ms)`));
    });
    this.begin();
    try {
      await this.#first.promise;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      clock.clear(timer);
    }
  }

  get state(): CommandClientState {
    return this.#state;
  }

  /** Why the last attempt to connect failed. */
  get lastFailure(): LintelError | undefined {
    return this.#lastFailure;
  }

  /** The connection while there is one. Each connection is a new object. */
  get connection(): CommandConnection | undefined {
    return this.#link.connection;
  }

  /** What handlers keep of the present connection. It is empty again after a reconnect. */
  get cache(): Map<string, unknown> {
    return this.#cache;
  }

  /**
   * The server's time: milliseconds since 1970. It is measured on each connection and then every hour. Until the first
   * measurement it is this machine's time.
   */
  now(): number {
    return this.#sync?.now() ?? this.#times.wallClock();
  }

  /** `now()` is off by no more than this many milliseconds. Undefined before the first measurement. */
  get maxClockError(): number | undefined {
    return this.#sync?.maxErrorMs;
  }

  /**
   * Sends a command and waits for its reply. Rejects as `CommandConnection.call` does, and at once with `NOT_CONNECTED` when there
   * is no connection. `error.retryable` says whether the command was certainly not executed.
   */
  async call<A extends ActionOf<Remote>>(
    action: A,
    ...[body, options = {}]: CallArguments<Remote[A], ClientCallOptions>
  ): Promise<ResultOf<Remote[A]>> {
    return (await this.#call(action, body, options)) as ResultOf<Remote[A]>; // as the map of actions says
  }

  /** Sends a command without waiting. False when much waits to be written. Throws `NOT_CONNECTED` when there is no connection. */
  fire<A extends ActionOf<Remote>>(action: A, ...[body]: CallArguments<Remote[A], never>): boolean {
    return this.#open().fire(action, body);
  }

  /**
   * Makes a call whose effect lasts as long as a connection, such as joining a room, and makes it again on each later connection,
   * before `onConnect`. Rejects, and does not repeat it, when this first call fails. What is returned ends the repetition.
   */
  async announce<A extends ActionOf<Remote>>(
    action: A,
    ...[body]: CallArguments<Remote[A], never>
  ): Promise<() => void> {
    if (this.#announcements.size >= MAX_ANNOUNCEMENTS)
      throw LintelError.of("TOO_MANY", `a client makes at most ${MAX_ANNOUNCEMENTS} announcements`);
    const announcement = { action, body };
    const forget = (): void => void this.#announcements.delete(announcement);
    this.#announcements.add(announcement);
    await this.#callOnce(action, body, {}).catch((error: unknown) => {
      forget();
      throw error;
    });
    return forget;
  }

  /** Calls back with each later connection, once its token is accepted. */
  onConnect(callback: ConnectCallback): this {
    this.#onConnect.add(callback);
    return this;
  }

  /** Calls back with each connection that has ended. */
  onDisconnect(callback: DisconnectCallback): this {
    this.#onDisconnect.add(callback);
    return this;
  }

  /** Ends the connection when what was sent is written, and connects no more. Calls without an outcome reject with `CLOSED`. */
  async close(): Promise<void> {
    this.#state = "closed";
    this.#sync?.stop();
    this.#first.reject(LintelError.of("CLOSED"));
    await this.#link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #call(action: string, body: unknown, options: ClientCallOptions): Promise<unknown> {
    const attempt = (each: CallOptions): Promise<unknown> => this.#callOnce(action, body, each);
    return callRetrying(attempt, options, this.#settings, this.#times);
  }

  async #callOnce(action: string, body: unknown, options: CallOptions): Promise<unknown> {
    return this.#open().call(action, body, options);
  }

  #open(): CommandConnection {
    const { connection } = this.#link;
    if (connection !== undefined) return connection;
    if (this.#state === "closed") throw LintelError.of("CLOSED", "the client was closed");
    throw LintelError.of("NOT_CONNECTED", `there is no connection to ${this.name}`);
  }

  #ready(connection: CommandConnection): void {
    this.#state = "connected";
    this.#cache = connection.cache;
    for (const { action, body } of this.#announcements)
      this.#tell(`the announcement ${action}`, () => connection.call(action, body));
    for (const callback of this.#onConnect) this.#tell("onConnect", () => callback(connection));
    void this.#sync?.start();
    this.#first.resolve();
  }

  #lost(connection: CommandConnection, why: Error | undefined): void {
    if (this.#state === "connected") this.#state = "connecting";
    this.#sync?.stop();
    for (const callback of this.#onDisconnect) this.#tell("onDisconnect", () => callback(connection, why));
  }

  #failed(error: LintelError): void {
    this.#lastFailure = error;
    if (error.reason === "UNAUTHENTICATED") this.#first.reject(error);
  }

  #tell(name: string, call: () => unknown): void {
    const report = (error: unknown): void => this.#settings.onError(error, `${name} of ${this.name}`);
    new Promise((resolve) => resolve(call())).catch(report); // a function that throws, or whose promise rejects
  }
}
