import { millisecondsOf, wholeNumber } from "../message/options.ts";
import type { Duration } from "../message/quantity.ts";
import { systemClock, type Clock } from "../runtime/clock.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { CommandCounts } from "./counts.ts";
import type { CommandHandlers } from "./handlers.ts";
import { jsonCommands } from "./json-protocol.ts";
import type { CommandFallback } from "./peer.ts";
import type { CommandProtocol } from "./protocol.ts";

/** What can be set of a connection. Sizes are bytes. */
export interface CommandOptions {
  /** How long a call waits for its reply when it does not say so itself. Default 30 seconds. */
  readonly timeout?: Duration;
  /** Calls without an outcome. More reject with `IN_FLIGHT_FULL`. Default 65,536. */
  readonly maxPending?: number;
  /** Commands that handlers are busy with. More get a `drs.exception` at once. Default 1,024. */
  readonly maxUnderWay?: number;
  /** Bytes of those commands; one command is taken in any case. Default 33,554,432. */
  readonly maxUnderWayBytes?: number;
  /** Largest command that is taken. A larger one ends the connection. Default 2,097,152. */
  readonly maxCommand?: number;
  /** What may wait to be written. Past it `call` and `fire` throw `SLOW_CONSUMER`, and replies end the connection. Default 8,388,608. */
  readonly maxBuffered?: number;
  /** Called with what a handler has thrown and its caller is not told: all but a `LintelError`. Default: `console.error`. */
  readonly onError?: (error: unknown, where: string) => void;
  readonly protocol?: CommandProtocol;
  /**
   * Tells the other end the timeout of each call, and by `lintel.cancel` which calls were given up. For hubs and for programs of this
   * library: those of the original do not know it. Default false.
   */
  readonly cancels?: boolean;
}

/** What the code that makes connections sets besides. */
export interface CommandConnectionOptions extends CommandOptions {
  /** Handlers of all connections together: for actions that the connection itself has none for. */
  readonly shared?: CommandHandlers;
  /** Takes the commands that neither has handlers for. */
  readonly fallback?: CommandFallback;
  /** What commands that are unfinished, or under way, of all connections together may take. */
  readonly budget?: ByteBudget;
  /** Where outcomes are counted. */
  readonly counts?: CommandCounts;
  readonly query?: URLSearchParams;
  /**
   * While the other end does not read replies, its commands are not read either, and it is given up after `stallTimeout`. For
   * servers only: two ends that both do it can wait for each other. Default false.
   */
  readonly pausesReading?: boolean;
  /** Default 5 seconds. */
  readonly stallTimeout?: Duration;
  /**
   * How long an end that sends nothing more still gets the replies to what is under way. Default 30 seconds.
   */
  readonly lingerTimeout?: Duration;
  readonly clock?: Clock;
  /** The time of day in milliseconds since 1970. */
  readonly epochMs?: () => number;
}

/** All of them, with defaults. */
export interface CommandSettings {
  readonly timeoutMs: number;
  readonly maxPending: number;
  readonly maxUnderWay: number;
  readonly maxUnderWayBytes: number;
  readonly maxCommand: number;
  readonly maxBuffered: number;
  readonly onError: (error: unknown, where: string) => void;
  readonly protocol: CommandProtocol;
  readonly cancels: boolean;
  readonly shared: CommandHandlers | undefined;
  readonly fallback: CommandFallback | undefined;
  readonly budget: ByteBudget | undefined;
  readonly counts: CommandCounts | undefined;
  readonly query: URLSearchParams;
  readonly pausesReading: boolean;
  readonly stallTimeoutMs: number;
  readonly lingerTimeoutMs: number;
  readonly clock: Clock;
  readonly epochMs: () => number;
}

const MOST = 2 ** 31 - 1;

/** Throws `invalid_argument` for a value that is out of range. */
export function settingsOf(options: CommandConnectionOptions): CommandSettings {
  const number = (name: keyof CommandOptions, otherwise: number): number =>
    wholeNumber(`option ${name}`, (options[name] as number | undefined) ?? otherwise, 1, MOST);
  return {
    timeoutMs: millisecondsOf("option timeout", options.timeout ?? 30_000),
    maxPending: number("maxPending", 65_536),
    maxUnderWay: number("maxUnderWay", 1024),
    maxUnderWayBytes: number("maxUnderWayBytes", 33_554_432),
    maxCommand: number("maxCommand", 2_097_152),
    maxBuffered: number("maxBuffered", 8_388_608),
    onError: options.onError ?? reportToStderr,
    protocol: options.protocol ?? jsonCommands,
    cancels: options.cancels ?? false,
    shared: options.shared,
    fallback: options.fallback,
    budget: options.budget,
    counts: options.counts,
    query: options.query ?? new URLSearchParams(),
    pausesReading: options.pausesReading ?? false,
    stallTimeoutMs: millisecondsOf("option stallTimeout", options.stallTimeout ?? 5000),
    lingerTimeoutMs: millisecondsOf("option lingerTimeout", options.lingerTimeout ?? 30_000, 0),
    clock: options.clock ?? systemClock,
    epochMs: options.epochMs ?? Date.now,
  };
}

function reportToStderr(error: unknown, where: string): void {
  console.error(`lintel: ${where} failed:`, error);
}
