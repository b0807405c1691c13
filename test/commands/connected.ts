/** A connection on a line in memory, and two that are connected. */
import { CommandConnection } from "../../src/commands/connection.ts";
import type { CommandConnectionOptions } from "../../src/commands/options.ts";
import { MemoryLine, linePair } from "./line-pair.ts";

/** Resolves when promises that were settled have called back. */
export const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export interface Connected {
  readonly line: MemoryLine;
  readonly connection: CommandConnection;
}

export function connected(options: CommandConnectionOptions = {}): Connected {
  const line = new MemoryLine();
  return { line, connection: new CommandConnection(line, { onError: () => undefined, ...options }) };
}

export function connectedPair(
  options: CommandConnectionOptions = {},
): [CommandConnection, CommandConnection] {
  const [one, other] = linePair();
  return [new CommandConnection(one, options), new CommandConnection(other, options)];
}
