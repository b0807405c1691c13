import type { CommandHandlers } from "../handlers.ts";
import type { CommandHandler, CommandMessage } from "../peer.ts";
import type { ActionOf, Actions, BodyOf } from "./actions.ts";

/** A command with the type of its body. */
export type TypedMessage<F> = Omit<CommandMessage, "body"> & { readonly body: BodyOf<F> };

/** A handler of a command, with the type of its body. */
export type TypedHandler<F> = (message: TypedMessage<F>) => unknown;

/** An end with handlers for the actions that a map names. */
export class TypedHandlers<Local extends Actions<Local>> {
  readonly #handlers: CommandHandlers;

  constructor(handlers: CommandHandlers) {
    this.#handlers = handlers;
  }

  /** Adds handlers to the chain of an action that servers call. */
  on<A extends ActionOf<Local>>(action: A, ...handlers: readonly TypedHandler<Local[A]>[]): this {
    this.#handlers.on(action, ...handlers.map(untyped));
    return this;
  }

  /** Removes a handler from the chain of an action, or the whole chain. */
  off<A extends ActionOf<Local>>(action: A, handler?: TypedHandler<Local[A]>): this {
    this.#handlers.off(action, handler && untyped(handler));
    return this;
  }

  /** Adds handlers that run before every chain. */
  before(...handlers: readonly CommandHandler[]): this {
    this.#handlers.before(...handlers);
    return this;
  }

  /** Adds handlers that run after every chain. */
  after(...handlers: readonly CommandHandler[]): this {
    this.#handlers.after(...handlers);
    return this;
  }
}

/** Bodies are what the map says: nothing checks what a server sends. */
function untyped<F>(handler: TypedHandler<F>): CommandHandler {
  return handler as unknown as CommandHandler;
}
