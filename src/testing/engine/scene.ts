/** What every part of the engine suite has at hand. */
import { test } from "node:test";
import type { Engine, EngineSupports } from "../../engine/engine.ts";
import { LintelError } from "../../message/failure.ts";
import type { Limits } from "../../message/limits.ts";
import { RecordingCaller } from "./actors.ts";

/** Two engines that lead to the same place; they may be one. */
export interface EnginePair {
  /** Where the tests' callers and publishers are. */
  readonly callers: Engine;
  /** Where the tests' workers and subscribers are. */
  readonly workers: Engine;
  /** Closes both, and what they lead to. */
  close(): Promise<void>;
}

export interface EngineSuiteOptions {
  /** A different place each time, without registrations. */
  readonly open: () => EnginePair | Promise<EnginePair>;
  /** As `open`, with these bounds. Left out: the tests of bounds are skipped. */
  readonly openWith?: (limits: Partial<Limits>) => EnginePair | Promise<EnginePair>;
}

export interface Scene extends EnginePair {
  readonly caller: RecordingCaller;
}

export type Run = (scene: Scene) => Promise<void>;

/** Declares one test. `needs` names what the engine must support; without it the test is skipped, saying so. */
export interface Declare {
  (what: string, run: Run, needs?: Need): void;
  /** A test of an engine with these bounds. */
  readonly bounded: (what: string, limits: Partial<Limits>, run: Run) => void;
}

/** Why the engine does not have to pass a test; undefined when it has to. */
export type Need = (supports: EngineSupports) => string | undefined;

/** Tests of what only some engines do. */
export const needs = (what: "attempts" | "capacity" | "streams" | "inProcess"): Need => {
  return (supports) => (supports[what] ? undefined : `supports.${what} is false`);
};

/** Tests of how an engine refuses what it does not do. */
export const lacks = (what: "attempts" | "capacity" | "streams"): Need => {
  return (supports) => (supports[what] ? `supports.${what} is true` : undefined);
};

export function declareWith(options: EngineSuiteOptions): Declare {
  const run = async (
    pair: EnginePair,
    body: Run,
    skip: (why: string) => void,
    need?: Need,
  ): Promise<void> => {
    try {
      const why = need?.(pair.workers.supports);
      if (why !== undefined) return skip(why);
      await body({ ...pair, close: () => pair.close(), caller: new RecordingCaller(pair.callers) });
    } finally {
      await pair.close();
    }
  };
  const declare = (what: string, body: Run, need?: Need): void =>
    void test(what, async (context) => run(await options.open(), body, (why) => context.skip(why), need));
  const bounded = (what: string, limits: Partial<Limits>, body: Run): void => {
    const { openWith } = options;
    const skip =
      openWith === undefined ? "the bounds of this engine cannot be set: openWith is left out" : false;
    void test(what, { skip }, async (context) =>
      run(await openWith!(limits), body, (why) => context.skip(why)),
    );
  };
  return Object.assign(declare, { bounded });
}

export function isReason(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof LintelError && error.reason === reason;
}
