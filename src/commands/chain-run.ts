import type { Command } from "./command.ts";
import type { CommandHandler, CommandMessage, CommandPeer } from "./peer.ts";

export class HandledMessage implements CommandMessage {
  readonly key: string | undefined;
  readonly action: string;
  readonly body: unknown;
  readonly version: number | undefined;
  readonly connection: CommandPeer;
  readonly context: Record<string, unknown> = {};
  result: unknown = undefined;
  error: unknown = undefined;
  #canceling: AbortController | undefined;

  constructor({ key, action, body, version }: Command, connection: CommandPeer) {
    this.key = key;
    this.action = action;
    this.body = body;
    this.version = version;
    this.connection = connection;
  }

  /** Made when it is first wanted: most handlers have no use for it. */
  get signal(): AbortSignal {
    const { signal } = this.connection;
    if (signal.aborted) return signal;
    this.#canceling ??= new AbortController();
    return this.#canceling.signal;
  }

  /** The reply is no longer wanted. */
  cancel(why: unknown): void {
    this.#canceling ??= new AbortController();
    this.#canceling.abort(why);
  }
}

export interface Hooks {
  readonly before: readonly CommandHandler[];
  readonly chain: readonly CommandHandler[];
  readonly after: readonly CommandHandler[];
}

/**
 * Runs the handlers of one command, one after the other. It waits only for promises: a command whose handlers return values is done
 * when `start` returns.
 */
export class ChainRun {
  readonly message: HandledMessage;
  readonly #handlers: readonly CommandHandler[];
  /** Where the handlers of the chain begin, and those of `after`. */
  readonly #chainAt: number;
  readonly #afterAt: number;
  #at = 0;
  #hasFailed = false;
  #done: (hasFailed: boolean) => void = () => undefined;

  constructor(message: HandledMessage, { before, chain, after }: Hooks) {
    this.message = message;
    this.#handlers = before.length + after.length === 0 ? chain : [...before, ...chain, ...after];
    this.#chainAt = before.length;
    this.#afterAt = before.length + chain.length;
  }

  /** `done` is called once; the message has the result, or the error. */
  start(done: (hasFailed: boolean) => void): void {
    this.#done = done;
    this.#continue();
  }

  #continue(): void {
    while (this.#at < this.#handlers.length) {
      const at = this.#at++;
      try {
        const result = this.#handlers[at]!(this.message);
        if (isThenable(result)) return this.#wait(at, result);
        this.#took(at, result);
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#done(this.#hasFailed);
  }

  #wait(at: number, promise: unknown): void {
    void Promise.resolve(promise)
      .then(
        (result) => this.#took(at, result),
        (error: unknown) => this.#failed(error),
      )
      .then(() => this.#continue());
  }

  #took(at: number, result: unknown): void {
    if (at >= this.#chainAt && at < this.#afterAt) this.message.result = result;
  }

  /** Only the handlers of `after` still run. */
  #failed(error: unknown): void {
    this.message.error = error;
    this.#hasFailed = true;
    this.#at = Math.max(this.#at, this.#afterAt);
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}
