import { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS, MAX_TIMEOUT } from "../../message/limits.ts";
import { checkOptions, text, type Check } from "../../message/options.ts";
import { isSubject } from "../../message/subject.ts";

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
 * Told of every connection that did not come about, or ended other than by both directions coming to their ends: why, and
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
  /** Default 127.0.0.1. Whoever reaches the address reaches the target. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** An entrance of a hub, with its limits. */
export interface TunnelEntrance extends Entrance, Partial<TunnelLimits> {}

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

const aPort: Check = (value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535 ? undefined : "a port";

const aSubject: Check = (value) =>
  typeof value === "string" && isSubject(value) ? undefined : 'a subject such as "db.main"';

/** The entrances of a hub, which may be one alone. Throws `invalid_argument` for those that are wrong. */
export function entrancesOf(options: unknown): readonly TunnelEntrance[] {
  const entrances: readonly unknown[] = Array.isArray(options) ? options : [options];
  for (const entrance of entrances) checkEntrance(entrance);
  return entrances as readonly TunnelEntrance[];
}

function checkEntrance(entrance: unknown): void {
  const { host, port, subject, ...limits } = (entrance ?? {}) as Partial<TunnelEntrance>;
  const given = { port: port ?? null, subject: subject ?? null, host };
  checkOptions("tunnel", given, { port: aPort, subject: aSubject, host: text });
  try {
    tunnelLimits(limits);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LintelError("invalid_argument", `tunnel: ${why}`, { cause });
  }
}
