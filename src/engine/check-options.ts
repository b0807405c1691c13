/** The options of registrations, checked alike by every engine: one that it cannot keep is refused, and none is dropped silently. */
import type { ServeOptions, SubscribeOptions } from "../message/delivery.ts";
import { LintelError } from "../message/failure.ts";
import { shown } from "../message/options.ts";
import type { Overflow } from "../message/overflow.ts";
import { checkPattern, isSubject } from "../message/subject.ts";
import type { EngineSupports } from "./engine.ts";

/** What a worker asked for, with every default filled in but that of the engine. */
export interface CheckedService {
  readonly pattern: string;
  /** "" for the group of all that name none. */
  readonly queue: string;
  /** From 1 to Infinity; undefined: as many as the engine thinks fit. */
  readonly concurrency: number | undefined;
  /** From 1. */
  readonly attempts: number;
}

/** Throws `BAD_SUBJECT` and `OPTION_UNSUPPORTED`. */
export function checkServe(
  supports: EngineSupports,
  pattern: string,
  { queue = "", concurrency, attempts = 1 }: ServeOptions,
): CheckedService {
  checkPattern(pattern);
  if (queue !== "" && !isSubject(queue))
    throw LintelError.of(
      "BAD_SUBJECT",
      `${shown(queue)} is not the name of a queue: it must be a subject, such as mail`,
    );
  if (attempts > 1 && !supports.attempts)
    throw unsupported(`attempts is ${shown(attempts)}, and this engine hands a request out once`);
  return {
    pattern,
    queue,
    concurrency: concurrency === undefined ? undefined : places(concurrency),
    attempts: attempts > 1 ? attempts : 1,
  };
}

/** The policy for a subscriber that falls behind. Throws `BAD_SUBJECT` and `OPTION_UNSUPPORTED`. */
export function checkSubscribe(
  supports: EngineSupports,
  pattern: string,
  { overflow = "drop-newest" }: SubscribeOptions,
): Overflow {
  checkPattern(pattern);
  if (supports.overflow.includes(overflow)) return overflow;
  const kept = supports.overflow.map((policy) => `"${policy}"`).join(", ");
  throw unsupported(`overflow is ${shown(overflow)}, and this engine supports ${kept}`);
}

/** E-13 */
function places(concurrency: number): number {
  return concurrency >= 1 ? Math.floor(concurrency) : 1;
}

function unsupported(what: string): LintelError {
  return LintelError.of("OPTION_UNSUPPORTED", `option ${what}; leave the option out, or use another engine`);
}
