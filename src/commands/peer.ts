/** What handlers see: the command, and the other end that has sent it. */
import type { Duration } from "../message/quantity.ts";
import type { Command } from "./command.ts";
import type { LineEnd } from "./line.ts";

/** A command as its handlers see it. All handlers of one command get the same object. */
export interface CommandMessage extends Command {
  /** The connection that it came on: handlers may call back, and keep what they know of the other end in its `cache`. */
  readonly connection: CommandPeer;
  /** What handlers of this command leave for those after them. */
  readonly context: Record<string, unknown>;
  /** Fires when the reply is no longer wanted: the connection has ended, or the other end has canceled the call. */
  readonly signal: AbortSignal;
  /** What the handler before has returned. */
  result: unknown;
  /** What a handler has thrown; only for the handlers of `after`. */
  error: unknown;
}

/**
 * Takes one command. What the last handler of a chain returns, or its promise resolves to, is the reply's body. What it throws ends
 * the chain: a `CommandError` becomes `drs.error`, anything else `drs.exception`.
 */
export type CommandHandler = (message: CommandMessage) => unknown;

export interface CallOptions {
  /** How long to wait for the reply, in milliseconds or as in "5s". Default: that of the connection, 30 seconds. */
  readonly timeout?: Duration;
  /** Ends the wait. The other end is told where the connection has the option `cancels`; the original has no word for it. */
  readonly signal?: AbortSignal | undefined;
}

/** One end of a line. Both ends are equal: each calls the other, and each has handlers. */
export interface CommandPeer {
  /** For whatever handlers want to know of the other end; it ends with the connection. */
  readonly cache: Map<string, unknown>;
  /** The query of the URL that the other end has connected to, where the line has one. */
  readonly query: URLSearchParams;
  /** The other end, for logs. */
  readonly remote: string;
  readonly isClosed: boolean;
  /** Fires when the connection has ended. */
  readonly signal: AbortSignal;
  /** Adds handlers to the chain of an action, for commands of this connection. They come instead of a server's for that action. */
  on(action: string, ...handlers: readonly CommandHandler[]): this;
  /** Removes a handler, or the whole chain of an action. */
  off(action: string, handler?: CommandHandler): this;
  /** Adds handlers that run before every chain. */
  before(...handlers: readonly CommandHandler[]): this;
  /** Adds handlers that run after every chain. */
  after(...handlers: readonly CommandHandler[]): this;
  /**
   * Sends a command and waits for its reply. Rejects with a `CommandError` for `drs.error`, a `CommandException` for
   * `drs.exception`, `DEADLINE` after `timeout` (30 seconds by default), the signal's reason when it fires, and `CONNECTION_LOST`
   * when the connection ends first. `retryable` says whether the command was certainly not executed.
   */
  call<T = unknown>(action: string, body?: unknown, options?: CallOptions): Promise<T>;
  /**
   * Sends a command without a key, and forgets it. False when more waits to be written than the line likes. Throws as `call` rejects
   * when the connection has ended or far too much waits.
   */
  fire(action: string, body?: unknown): boolean;
  /** Calls back once when the connection has ended; at once if it has. `why` is undefined after a normal end. */
  onClose(callback: (why: Error | undefined) => void): void;
  /** Ends the connection when what was sent is written. Calls without an outcome reject with `CLOSED`. */
  close(why?: LineEnd): void;
}

/**
 * Takes a command that no handler is there for. Returns false to leave it, and then must not use `reply`; otherwise it calls one
 * method of `reply`, once, now or later. After the connection has ended it need not.
 */
export type CommandFallback = (command: Command, reply: CommandReply) => boolean;

/** How a command is answered. Only the first call of any method counts. */
export interface CommandReply {
  readonly connection: CommandPeer;
  /** Sends `drs.response`. */
  response(body: unknown): void;
  /** Sends `drs.error` or `drs.exception`, as `failedReply` decides. */
  fail(error: unknown): void;
}
