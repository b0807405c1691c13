/** Which handlers take which action. */
import type { CommandHandler } from "./peer.ts";

/** The handlers of one connection, or of all connections of a server. */
export class CommandHandlers {
  readonly #chains = new Map<string, readonly CommandHandler[]>();
  #before: readonly CommandHandler[] = [];
  #after: readonly CommandHandler[] = [];

  /** Adds handlers to the end of an action's chain. A handler that is added twice runs twice. */
  on(action: string, ...handlers: readonly CommandHandler[]): void {
    if (handlers.length > 0) this.#chains.set(action, [...(this.#chains.get(action) ?? []), ...handlers]);
  }

  /** Removes a handler from an action's chain, wherever it is in it; without one, the whole chain. Commands under way keep theirs. */
  off(action: string, handler?: CommandHandler): void {
    const left =
      handler === undefined ? [] : (this.#chains.get(action) ?? []).filter((one) => one !== handler);
    if (left.length > 0) this.#chains.set(action, left);
    else this.#chains.delete(action);
  }

  /** Adds handlers that run before the chain of every action, in this order. What one throws ends the command. */
  before(...handlers: readonly CommandHandler[]): void {
    this.#before = [...this.#before, ...handlers];
  }

  /** Adds handlers that run after every chain, whether it failed or not. They see the outcome; what one throws takes its place. */
  after(...handlers: readonly CommandHandler[]): void {
    this.#after = [...this.#after, ...handlers];
  }

  /** The chain of an action as it is now. */
  find(action: string): readonly CommandHandler[] | undefined {
    return this.#chains.get(action);
  }

  get actions(): IterableIterator<string> {
    return this.#chains.keys();
  }

  get firstOnes(): readonly CommandHandler[] {
    return this.#before;
  }

  get lastOnes(): readonly CommandHandler[] {
    return this.#after;
  }
}
