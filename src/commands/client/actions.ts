/**
 * Types of actions. A program writes down once what it calls, each action as a function from its body to its answer:
 *
 *     interface Server {
 *       "orders.create": (order: Order) => Receipt;
 *       "drs.ping": () => number;
 *     }
 */

/** What a map of actions must be. */
export type Actions<M> = { readonly [A in keyof M]: (body: never) => unknown };

/** Where nothing is written down. */
export type AnyActions = Readonly<Record<string, (body?: unknown) => unknown>>;

/** The names in a map. */
export type ActionOf<M> = keyof M & string;

/** What the caller of an action sends. */
export type BodyOf<F> = F extends (...given: infer P) => unknown ? P[0] : never;

/** What it gets. */
export type ResultOf<F> = F extends (...given: never[]) => infer R ? Awaited<R> : never;

/** Body and options of a call. The body may be left out where it may be undefined. */
export type CallArguments<F, Options> =
  undefined extends BodyOf<F> ? [body?: BodyOf<F>, options?: Options] : [body: BodyOf<F>, options?: Options];
