import type { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS, MAX_TIMEOUT } from "../../message/limits.ts";
import { checkArgument, millisecondsOf, wholeNumber, type Check } from "../../message/options.ts";
import type { Duration } from "../../message/quantity.ts";
import { isSubject } from "../../message/subject.ts";
import { HOST_PORT_FORM, parseHostPort } from "../../transport/host-port.ts";

/** What one end of a tunnel bounds. Times in milliseconds; `Infinity` is none. */
export interface TunnelLimits {
  /** Connections at a time; a further one is closed at once. Default 1,024. */
  readonly maxConnections: number;
  /** How many of them may come from one address, in percent; this machine's programs are not told apart by it. Default 25. */
  readonly callerShare: number;
  /** A connection on which nothing is sent either way for so long is closed. Default 3,600,000: an hour. */
  readonly idleTimeoutMs: number;
  /** A connection is closed after so long, whatever happens on it. Default: none. */
  readonly maxDurationMs: number;
  /** A connection that does not stand by then, from one end of the tunnel to the other, fails. Default 10,000. */
  readonly connectTimeoutMs: number;
}

/**
 * Called with every connection that could not be opened, or ended before both directions had ended: why, and
 * whose it was.
 */
export type OnConnectionError = (error: LintelError, connection: string) => void;

export interface TunnelOptions extends Partial<TunnelLimits> {
  /** Default: a line on stderr. */
  readonly onError?: OnConnectionError;
}

/** Where a tunnel begins, and the subject it leads to. */
export interface Entrance {
  readonly subject: string;
  /** Default 127.0.0.1. Anybody who can reach the address can reach the target. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** A port of the hub itself that leads to the worker that exposes a subject. */
export interface TunnelEntrance {
  /** Address to listen on: `HOST:PORT`, or a port alone (then on 127.0.0.1). Anybody who can reach it can reach the target. */
  readonly listen: string | number;
  /** What is exposed, such as `db.main`. */
  readonly subject: string;
  /** Connections at a time; a further one is closed at once. Default 1,024. */
  readonly maxConnections?: number;
  /** How many of them may come from one address, in percent. Default: that of the hub, 25. */
  readonly callerShare?: number;
  /** A connection on which nothing is sent either way for so long is closed; false for none. Default `1h`. */
  readonly idleTimeout?: Duration | false;
  /** A connection is closed after so long, whatever happens on it; false for none. Default false. */
  readonly maxDuration?: Duration | false;
  /** A connection that does not stand by then, from one end of the tunnel to the other, fails. Default `10s`. */
  readonly connectTimeout?: Duration;
}

/** An entrance with every option in the form a tunnel takes. */
export interface EntranceSettings {
  readonly entrance: Entrance;
  readonly limits: Partial<TunnelLimits>;
}

const MAX_COUNT = 2 ** 31 - 1;

export const DEFAULT_TUNNEL_LIMITS: TunnelLimits = {
  maxConnections: 1_024,
  callerShare: DEFAULT_LIMITS.callerShare,
  idleTimeoutMs: 3_600_000,
  maxDurationMs: Infinity,
  connectTimeoutMs: 10_000,
};

/** The limits that hold. Throws a RangeError for numbers that are none. */
export function tunnelLimits({ onError: _, ...given }: TunnelOptions): TunnelLimits {
  const limits = { ...DEFAULT_TUNNEL_LIMITS, ...given };
  const { maxConnections, callerShare, connectTimeoutMs, idleTimeoutMs, maxDurationMs } = limits;
  if (!Number.isInteger(maxConnections) || maxConnections < 1)
    throw new RangeError(`maxConnections is ${maxConnections}, it must be a whole number above 0`);
  if (!Number.isInteger(callerShare) || callerShare < 1)
    throw new RangeError(`callerShare is ${callerShare}, it must be a whole number above 0`);
  check({ connectTimeoutMs });
  if (idleTimeoutMs !== Infinity) check({ idleTimeoutMs });
  if (maxDurationMs !== Infinity) check({ maxDurationMs });
  return limits;
}

function check(times: Readonly<Record<string, number>>): void {
  for (const [name, ms] of Object.entries(times)) {
    if (!(ms > 0 && ms <= MAX_TIMEOUT))
      throw new RangeError(`${name} is ${ms}, it must be a number of milliseconds up to ${MAX_TIMEOUT}`);
  }
}

const aListen: Check = (value) =>
  (typeof value === "string" || typeof value === "number") && parseHostPort(value) !== undefined
    ? undefined
    : HOST_PORT_FORM;

const aSubject: Check = (value) =>
  typeof value === "string" && isSubject(value) ? undefined : 'a subject such as "db.main"';

/** The entrances of a hub, which may be one alone. Throws `invalid_argument` for those that are wrong. */
export function entrancesOf(options: unknown): readonly EntranceSettings[] {
  const entrances: readonly unknown[] = Array.isArray(options) ? options : [options];
  return entrances.map(settingsOf);
}

function settingsOf(options: unknown): EntranceSettings {
  const { listen, subject, ...given } = (options ?? {}) as TunnelEntrance; // what it is, is checked next
  checkArgument("createHub", "tunnel's listen", listen, aListen);
  checkArgument("createHub", "tunnel's subject", subject, aSubject);
  const count = (name: "maxConnections" | "callerShare"): number | undefined =>
    given[name] === undefined ? undefined : wholeNumber(`tunnel option ${name}`, given[name], 1, MAX_COUNT);
  const time = (name: "idleTimeout" | "maxDuration" | "connectTimeout"): number | undefined => {
    const value = given[name];
    return value === false
      ? Infinity
      : value === undefined
        ? undefined
        : millisecondsOf(`tunnel option ${name}`, value);
  };
  const limits = {
    maxConnections: count("maxConnections"),
    callerShare: count("callerShare"),
    idleTimeoutMs: time("idleTimeout"),
    maxDurationMs: time("maxDuration"),
    connectTimeoutMs: time("connectTimeout"),
  };
  const set = Object.entries(limits).filter(([, value]) => value !== undefined);
  return { entrance: { subject, ...parseHostPort(listen)! }, limits: Object.fromEntries(set) };
}
