/** What `expose` and `tunnel` have in common: limits, the log, and how they end. */
import { InvalidArgumentError, Option } from "commander";
import {
  DEFAULT_TUNNEL_LIMITS,
  type OnConnectionError,
  type TunnelLimits,
} from "../gateway/tunnel/options.ts";
import { parseCount, parseSeconds } from "./flags.ts";
import { note } from "./note.ts";
import { printable } from "./paint.ts";
import type { Stopping } from "./stopping.ts";

export interface LimitFlags {
  readonly maxConnections: number;
  /** Milliseconds, like all of these. */
  readonly idleTimeout: number;
  readonly maxTime: number;
  readonly connectTimeout: number;
}

const { maxConnections, callerShare, idleTimeoutMs, maxDurationMs, connectTimeoutMs } = DEFAULT_TUNNEL_LIMITS;

export function limitFlags(): Option[] {
  return [
    new Option("--max-connections <number>", "connections at a time; further ones are closed at once")
      .argParser(parseCount)
      .default(maxConnections),
    new Option("--idle-timeout <seconds>", "close connections without data for this long, or off")
      .argParser(parseLimit)
      .default(idleTimeoutMs, "1h"),
    new Option("--max-time <seconds>", "close connections after this long in any case, or off")
      .argParser(parseLimit)
      .default(maxDurationMs, "off"),
    new Option("--connect-timeout <seconds>", "give up connections that are not open in time")
      .argParser(parseSeconds)
      .default(connectTimeoutMs, "10"),
  ];
}

function parseLimit(text: string): number {
  if (text === "off") return Infinity;
  try {
    return parseSeconds(text);
  } catch {
    throw new InvalidArgumentError('It must be off, seconds, or a time such as "500ms", "5s" or "2h".');
  }
}

/** The options of either end: its limits, and a line on stderr for each connection that went wrong. */
export function tunnelOptions(flags: LimitFlags): TunnelLimits & { readonly onError: OnConnectionError } {
  return {
    maxConnections: flags.maxConnections,
    callerShare,
    idleTimeoutMs: flags.idleTimeout,
    maxDurationMs: flags.maxTime,
    connectTimeoutMs: flags.connectTimeout,
    onError: ({ reason, message }, connection) => note(`${connection}: ${reason}: ${printable(message)}`),
  };
}

interface End {
  readonly connections: number;
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Runs until a signal comes, or `failed` rejects, then lets open connections end by themselves. */
export async function runEnd(end: End, stopping: Stopping, failed?: Promise<void>): Promise<void> {
  try {
    await Promise.race([stopping.stopped(), ...(failed === undefined ? [] : [failed])]);
    const { connections } = end;
    if (connections > 0)
      note(`waiting for ${connections} open connections; a second signal ends them at once`);
    await end.drain();
  } finally {
    await end.close();
  }
}
