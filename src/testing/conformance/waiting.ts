/** Ways for a case to wait for what its peers do. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { LintelError } from "../../message/failure.ts";
import type { Context } from "../../peer/context.ts";

/** The failure of a call that must fail. */
export function failureOf(call: Promise<unknown>): Promise<LintelError> {
  const onAnswer = (): never => assert.fail("it was answered");
  return underWay(
    call.then(onAnswer, (error: unknown) => {
      assert.ok(error instanceof LintelError, `not a LintelError: ${String(error)}`);
      return error;
    }),
  );
}

/** What became of a call: its value, or the reason of its failure. */
export function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => {
    if (error instanceof LintelError) return error.reason;
    throw error;
  });
}

/** A call that is waited for later: if the case fails before, its failure is nobody's. */
export function underWay<T>(call: Promise<T>): Promise<T> {
  call.catch(() => undefined);
  return call;
}

/** A value that is set later. */
export interface Later<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

export function later<T>(): Later<T> {
  let resolve: ((value: T) => void) | undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: resolve! };
}

/** A handler that never answers, and a promise for the context of its first request. */
export function stuck(): {
  readonly handler: (value: unknown, context: Context) => Promise<never>;
  readonly started: Promise<Context>;
} {
  const started = later<Context>();
  const handler = (_value: unknown, context: Context): Promise<never> => {
    started.resolve(context);
    return new Promise<never>(() => undefined);
  };
  return { handler, started: started.promise };
}

/** Why a signal fired, once it has. */
export async function firedWith(signal: AbortSignal): Promise<LintelError> {
  if (!signal.aborted) await once(signal, "abort");
  assert.ok(signal.reason instanceof LintelError, `not a LintelError: ${String(signal.reason)}`);
  return signal.reason;
}

/** Asks again until it is answered: what was lost is being made again. */
export async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof LintelError) || !MAKING_AGAIN.has(error.reason)) throw error;
      await nextTurn();
    }
  }
}

const MAKING_AGAIN: ReadonlySet<string> = new Set(["NO_RESPONDERS", "NOT_CONNECTED", "CONNECTION_LOST"]);

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
