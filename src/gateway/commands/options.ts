/** What the commands gateway can be told, and what it does when it is not told. */
import { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS, type Limits } from "../../message/limits.ts";
import { bytesOf, shown, timeOption, wholeNumber } from "../../message/options.ts";
import type { Duration, Size } from "../../message/quantity.ts";
import { isPattern } from "../../message/subject.ts";
import type { TlsOptions } from "../../transport/transport.ts";

/** What files, variables and flags can say too. */
export interface CommandsFileOptions {
  /**
   * Ports of its own: URLs that begin with `ws`, `wss`, `tcp` or `tls`; `HOST:PORT` or a port alone means `ws`. Default: none, it
   * is on the HTTP port alone.
   */
  readonly listen?: string | number | readonly (string | number)[];
  /** Where WebSockets connect on the HTTP port, and on ports of its own; false: not on the HTTP port. Default `/socket`. */
  readonly path?: string | false;
  /** Where counters are read on the HTTP port, and on WebSocket ports of its own; false: nowhere. Default `/stats`. */
  readonly stats?: string | false;
  /** Patterns whose requests go to connected clients, which need not have announced anything. Default: none. */
  readonly serve?: readonly string[];
  /** Patterns whose publications go to every connection that may subscribe to them. Default: none. */
  readonly broadcast?: readonly string[];
  /** Timeout of calls that name none: milliseconds, or text such as "5s". Default: `limits.timeout`. */
  readonly timeout?: Duration;
  /** Largest command that is read: bytes, or text such as "1MiB". Default: `limits.payload` and 64 KiB. */
  readonly maxCommand?: Size;
  /** Connections at a time; past it, and past the share of one caller, one that has shown no credentials is closed, else the new one. Default 16,384. */
  readonly maxConnections?: number;
  /** Calls of one connection without an outcome; further ones fail with `IN_FLIGHT_FULL`. Default: `limits.sessionInFlight`. */
  readonly maxPending?: number;
  /** Requests that one client holds at a time. Default: `limits.concurrency`. */
  readonly concurrency?: number;
  /** Certificates for `wss` and `tls`. Default: those of the hub. */
  readonly tls?: TlsOptions;
  /** Origins of web pages that may connect to ports of its own; `"*"` for all. Default: pages of the same host. */
  readonly origins?: readonly string[];
  /** Host names by which ports of its own may be asked, besides loopback names. Default: none. */
  readonly hosts?: readonly string[];
}

export type CommandsOptions = CommandsFileOptions;

/** Limits of the hub that hold here. */
export type CommandsLimits = Pick<
  Limits,
  | "payload"
  | "timeout"
  | "sessionInFlight"
  | "concurrency"
  | "sessionBuffer"
  | "stallTimeout"
  | "registrations"
  | "heartbeat"
  | "heartbeatTimeout"
  | "callerShare"
>;

/** Every option with its value. */
export interface CommandsSettings {
  readonly listen: readonly string[];
  readonly path: string | false;
  readonly statsPath: string | false;
  readonly serve: readonly string[];
  readonly broadcast: readonly string[];
  readonly timeoutMs: number;
  readonly maxCommand: number;
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly concurrency: number;
  readonly tls: TlsOptions | undefined;
  readonly origins: readonly string[] | undefined;
  readonly hosts: readonly string[] | undefined;
}

/** What a command may have besides its body. Bytes. */
const BESIDES = 65_536;
const MAX_COUNT = 2 ** 31 - 1;
export const LISTEN_FORM = "URLs that begin with ws, wss, tcp or tls, or HOST:PORT";
const URL_FORM = /^(?:ws|wss|tcp|tls):\/\/[^/?#]+/;
const HOST_PORT = /^(?:(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):)?\d{1,5}$/;
/** A path as a URL has it, without a query. */
export const PATH: RegExp = /^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$/;

/** The settings that hold. Throws `invalid_argument` for what is none. */
export function commandsSettings(
  options: CommandsOptions,
  limits: CommandsLimits = DEFAULT_LIMITS,
): CommandsSettings {
  const count = (name: "maxConnections" | "maxPending" | "concurrency", otherwise: number): number =>
    wholeNumber(`commands option ${name}`, options[name] ?? otherwise, 1, MAX_COUNT);
  const { listen = [], path = "/socket", stats = "/stats", maxCommand = limits.payload + BESIDES } = options;
  checkPath("path", path);
  checkPath("stats", stats);
  if (path !== false && path === stats) throw wrong("stats", stats, "another path than `path`");
  return {
    listen: (Array.isArray(listen) ? (listen as readonly (string | number)[]) : [listen]).map(urlOf),
    path,
    statsPath: stats,
    serve: patternsOf("serve", options.serve ?? []),
    broadcast: patternsOf("broadcast", options.broadcast ?? []),
    timeoutMs: timeOption("commands option ", options, "timeout", limits.timeout),
    maxCommand: bytesOf("commands option maxCommand", maxCommand, 1, MAX_COUNT),
    maxConnections: count("maxConnections", 16_384),
    maxPending: count("maxPending", limits.sessionInFlight),
    concurrency: count("concurrency", limits.concurrency),
    tls: options.tls,
    origins: options.origins,
    hosts: options.hosts,
  };
}

/** Where it listens, as a URL. Throws `invalid_argument`. */
export function urlOf(at: unknown): string {
  if (typeof at === "string" && URL_FORM.test(at)) return at;
  if ((typeof at === "string" || typeof at === "number") && HOST_PORT.test(String(at)))
    return `ws://${/^\d+$/.test(String(at)) ? `127.0.0.1:${at}` : at}`;
  throw wrong("listen", at, LISTEN_FORM);
}

/** Throws `invalid_argument` for a path that is none. */
function checkPath(name: "path" | "stats", path: unknown): void {
  if (path !== false && !(typeof path === "string" && PATH.test(path)))
    throw wrong(name, path, "a path such as /socket, or false");
}

function patternsOf(name: "serve" | "broadcast", patterns: readonly string[]): readonly string[] {
  if (
    Array.isArray(patterns) &&
    patterns.every((pattern: unknown) => typeof pattern === "string" && isPattern(pattern))
  )
    return patterns;
  throw wrong(name, patterns, "a list of patterns such as client.>");
}

function wrong(name: string, value: unknown, form: string): LintelError {
  return new LintelError(
    "invalid_argument",
    `commands option ${name} is ${shown(value)}, it must be ${form}`,
  );
}
