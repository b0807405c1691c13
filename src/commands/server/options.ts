import { aFunction, checkOptions, list, text, wholeNumber } from "../../message/options.ts";
import type { ListenOptions } from "../../transport/transport.ts";
import {
  settingsOf,
  type CommandConnectionOptions,
  type CommandOptions,
  type CommandSettings,
} from "../options.ts";
import type { Authenticate } from "./authentication.ts";

/** Which web pages and names, and which certificates: as for all listeners. */
type WebOptions = Pick<ListenOptions, "tls" | "origins" | "hosts" | "onRefused">;

export interface CommandServerOptions
  extends CommandOptions, WebOptions, Pick<CommandConnectionOptions, "stallTimeout" | "lingerTimeout"> {
  /** Looks at tokens: then nobody may call anything but `drs.ping` before a token that is good. Default: everybody may. */
  readonly authenticate?: Authenticate;
  /** Lets a server without `authenticate` listen where other machines can reach it. Default false. */
  readonly insecure?: boolean;
  /** The path of WebSockets. Default `/socket`. */
  readonly path?: string;
  /**
   * The path of the counts on the same port, for everybody who reaches it; false: none. Default `/stats`, and with `authenticate` none.
   */
  readonly statsPath?: string | false;
  /**
   * Connections at a time. With one more, the oldest that has not shown a token which the server asks for is closed with 1013, or
   * else the new one. Default 10,000.
   */
  readonly maxConnections?: number;
  /** Bytes of all commands that are unfinished or under way. Past it new ones are refused. Default 268,435,456. */
  readonly maxBytes?: number;
}

/** What only tests give. */
export type ServerTimes = Pick<CommandConnectionOptions, "clock" | "epochMs">;

export interface ServerSettings extends WebOptions {
  /** What each connection gets, and what became of it. */
  readonly options: CommandConnectionOptions;
  readonly connections: CommandSettings;
  readonly authenticate: Authenticate | undefined;
  readonly insecure: boolean;
  readonly path: string;
  readonly statsPath: string | false;
  readonly maxConnections: number;
  readonly maxBytes: number;
}

const MOST = 2 ** 31 - 1;
const CALL = "createCommandServer";
const CHECKS = {
  authenticate: aFunction,
  onError: aFunction,
  path: text,
  origins: list,
  hosts: list,
  insecure: (value: unknown) => (typeof value === "boolean" ? undefined : "true or false"),
  statsPath: (value: unknown) =>
    value === false || typeof value === "string" ? undefined : 'a path such as "/stats", or false',
} as const;

/** Throws `invalid_argument` for options that are none. */
export function serverSettingsOf(options: CommandServerOptions, times: ServerTimes): ServerSettings {
  checkOptions(CALL, options, CHECKS);
  const { tls, origins, hosts, onRefused } = options;
  return {
    ...(tls === undefined ? {} : { tls }),
    ...(origins === undefined ? {} : { origins }),
    ...(hosts === undefined ? {} : { hosts }),
    ...(onRefused === undefined ? {} : { onRefused }),
    options: { ...options, ...times },
    connections: settingsOf({ ...options, ...times }),
    authenticate: options.authenticate,
    insecure: options.insecure ?? false,
    path: options.path ?? "/socket",
    statsPath: options.statsPath ?? (options.authenticate === undefined && "/stats"),
    maxConnections: wholeNumber(`${CALL}: maxConnections`, options.maxConnections ?? 10_000, 1, MOST),
    maxBytes: wholeNumber(`${CALL}: maxBytes`, options.maxBytes ?? 268_435_456, 1, Number.MAX_SAFE_INTEGER),
  };
}
