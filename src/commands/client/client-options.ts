import { checkOptions, aFunction, millisecondsOf, object, wholeNumber } from "../../message/options.ts";
import type { Duration } from "../../message/quantity.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import { CommandHandlers } from "../handlers.ts";
import type { CommandOptions } from "../options.ts";
import type { CallOptions, CommandHandler, CommandPeer } from "../peer.ts";

/** The token of this end: a text, or a function that is asked for it before each attempt to connect. */
export type CommandToken = string | (() => string | Promise<string>);

export interface ClientCallOptions extends CallOptions {
  /**
   * How many times the call is made again after a crash of its handler, a lost connection, or a failure that is `retryable`,
   * within the same timeout. Its handler may then run more than once. Default: that of the client, 0.
   */
  readonly retries?: number;
}

export interface CommandClientOptions extends CommandOptions {
  /** How long to try for the first connection. Default 10 seconds; later ones are retried for ever. */
  readonly connectTimeout?: Duration;
  /** Shown to the server on each connection, before anything else is sent. */
  readonly token?: CommandToken;
  /**
   * How the token is shown. `"upgrade"`, the default, sends the command `auth.upgrade`. `"query"` puts it into the URL, as
   * `?token=`, for servers that want it there; URLs end up in logs of proxies. Only for WebSockets.
   */
  readonly tokenIn?: "upgrade" | "query";
  /** Handlers by action, there before the first command can come. More can be added with `on`. */
  readonly handlers?: Readonly<Record<string, CommandHandler | readonly CommandHandler[]>>;
  /** Called with each connection, once the token is accepted. */
  readonly onConnect?: ConnectCallback;
  /** Called with each connection that has ended, of those that `onConnect` got, and why it did if not in order. */
  readonly onDisconnect?: DisconnectCallback;
  /** How many times a call is made again that does not say so itself. Default 0. */
  readonly retries?: number;
  /** After so long a silence the server is pinged, and after as long again it is lost. Default 2.5 seconds; 0 never pings. */
  readonly heartbeat?: Duration;
  /** Whether the server's time is measured, for `now()`. Default true. */
  readonly clockSync?: boolean;
}

export type ConnectCallback = (connection: CommandPeer) => unknown;
export type DisconnectCallback = (connection: CommandPeer, why: Error | undefined) => unknown;

/** What only tests give. */
export interface ClientTimes {
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

/** What is the client's own of the options, with defaults. */
export interface ClientSettings {
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly heartbeatMs: number;
}

const CALL = "connectCommands";
const MAX_RETRIES = 1_000;

/** Throws `invalid_argument` for options that are none. */
export function clientSettingsOf(options: CommandClientOptions): ClientSettings {
  checkOptions(CALL, options, {
    handlers: object('{ "client.ask": () => 42 }'),
    token: (value) =>
      typeof value === "string" || typeof value === "function"
        ? undefined
        : "a string, or a function that gives one",
    onConnect: aFunction,
    onDisconnect: aFunction,
    onError: aFunction,
    tokenIn: (value) => (value === "upgrade" || value === "query" ? undefined : '"upgrade" or "query"'),
  });
  return {
    connectTimeoutMs: millisecondsOf(`${CALL}: connectTimeout`, options.connectTimeout ?? 10_000),
    timeoutMs: millisecondsOf(`${CALL}: timeout`, options.timeout ?? 30_000),
    retries: checkRetries(options.retries ?? 0),
    heartbeatMs: millisecondsOf(`${CALL}: heartbeat`, options.heartbeat ?? 2_500, 0),
  };
}

/** The handlers that the options name. */
export function handlersOf({ handlers = {} }: CommandClientOptions): CommandHandlers {
  const found = new CommandHandlers();
  for (const [action, chain] of Object.entries(handlers)) found.on(action, ...[chain].flat());
  return found;
}

export function checkRetries(retries: number): number {
  return wholeNumber("option retries", retries, 0, MAX_RETRIES);
}
