/** What one principal may do, asked once for each verb and subject and remembered. The only place that calls `may`. */
import { LintelError, failure, type Failure } from "../message/failure.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Access, Principal, Verb } from "./access.ts";

/** Undefined: it is allowed. */
export type Decision = Failure | undefined;

export function isPending(decision: Decision | Promise<Decision>): decision is Promise<Decision> {
  return decision instanceof Promise;
}

/** Decisions that are remembered for one principal, for each verb; the oldest is forgotten for one more. */
const REMEMBERED = 1_024;

const REVOKED: Failure = Object.freeze(failure("UNAUTHENTICATED", "the credentials are no longer valid"));
const EXPIRED: Failure = Object.freeze(failure("UNAUTHENTICATED", "the credentials have expired"));

/** What all principals of a hub have in common. */
export interface DecisionOptions {
  readonly access: Access;
  readonly clock: Clock;
  /** The time of day, in milliseconds since 1970. */
  readonly timeOfDay: () => number;
  /** How long an `Access` may take for an answer. Milliseconds. */
  readonly timeoutMs: number;
  readonly onError: (error: unknown, where: string) => void;
}

/** The verdicts of one verb. */
class Remembered {
  readonly known = new Map<string, Decision>();
  /** Questions that are not answered yet, so that each is asked once. */
  readonly asked = new Map<string, Promise<Decision>>();

  remember(subject: string, decision: Decision): void {
    if (this.known.size >= REMEMBERED) {
      const [oldest] = this.known.keys();
      this.known.delete(oldest!);
    }
    this.known.set(subject, decision);
  }
}

export class Decisions {
  readonly principal: Principal;
  readonly #options: DecisionOptions;
  readonly #verbs = new Map<Verb, Remembered>();
  readonly #onEnded = new Set<(why: Failure) => void>();
  #timer: unknown;
  /** Why nothing is allowed any more. */
  #over: Failure | undefined;

  constructor(principal: Principal, options: DecisionOptions) {
    this.principal = principal;
    this.#options = options;
  }

  /** True while something waits for its end. */
  get isUsed(): boolean {
    return this.#onEnded.size > 0;
  }

  /** Why the credentials are not good any more; undefined while they are. */
  get over(): Failure | undefined {
    if (this.#over === undefined && this.#left() <= 0) this.end(EXPIRED);
    return this.#over;
  }

  /** What happens to it, at once where that is known. */
  check(verb: Verb, subject: string): Decision | Promise<Decision> {
    if (this.over !== undefined) return this.over;
    let remembered = this.#verbs.get(verb);
    if (remembered === undefined) this.#verbs.set(verb, (remembered = new Remembered()));
    const decision = remembered.known.get(subject);
    if (decision !== undefined || remembered.known.has(subject)) return decision;
    return remembered.asked.get(subject) ?? this.#ask(remembered, verb, subject);
  }

  /** Calls back once, when the credentials expire or are revoked. Returns a function that makes it not call. */
  watch(listener: (why: Failure) => void): () => void {
    if (this.over !== undefined) {
      listener(this.over);
      return () => undefined;
    }
    const own = (why: Failure): void => listener(why);
    this.#onEnded.add(own);
    this.#arm();
    return () => {
      this.#onEnded.delete(own);
      if (this.#onEnded.size > 0) return;
      this.#options.clock.clear(this.#timer);
      this.#timer = undefined;
    };
  }

  revoke(): void {
    this.end(REVOKED);
  }

  /** Nothing is allowed from now on, and nothing is remembered. */
  end(why: Failure): void {
    this.#over ??= why;
    this.#verbs.clear();
    this.#options.clock.clear(this.#timer);
    this.#timer = undefined;
    const listeners = [...this.#onEnded];
    this.#onEnded.clear();
    for (const listener of listeners) listener(why);
  }

  #ask(remembered: Remembered, verb: Verb, subject: string): Decision | Promise<Decision> {
    const { access } = this.#options;
    let answer: unknown; // it is user code: anything but true means no
    try {
      answer = access.may(this.principal, verb, subject, false);
    } catch (error) {
      return this.#failed(error, verb);
    }
    if (typeof answer === "boolean") {
      const decision = answer ? undefined : failure("PERMISSION_DENIED");
      remembered.remember(subject, decision);
      return decision;
    }
    const asked = within(Promise.resolve(answer), this.#options).then(
      (allowed) => {
        if (this.#over !== undefined) return this.#over;
        const decision = allowed === true ? undefined : failure("PERMISSION_DENIED");
        remembered.asked.delete(subject);
        remembered.remember(subject, decision);
        return decision;
      },
      (error: unknown) => {
        remembered.asked.delete(subject);
        return this.#over ?? this.#failed(error, verb);
      },
    );
    remembered.asked.set(subject, asked);
    return asked;
  }

  #failed(error: unknown, verb: Verb): Failure {
    if (error instanceof LintelError) return error.toFailure();
    this.#options.onError(error, `access.may(${JSON.stringify(this.principal.id)}, ${JSON.stringify(verb)})`);
    return failure("ACCESS_UNAVAILABLE");
  }

  /** Milliseconds until the credentials expire. */
  #left(): number {
    const { expiresAt } = this.principal;
    return expiresAt === undefined ? Infinity : expiresAt - this.#options.timeOfDay();
  }

  #arm(): void {
    const left = this.#left();
    if (left === Infinity || this.#timer !== undefined) return;
    this.#timer = this.#options.clock.after(Math.min(MAX_TIMEOUT, Math.max(1, left)), () => {
      this.#timer = undefined;
      if (this.over === undefined) this.#arm();
    });
  }
}

/** The answer, or `ACCESS_UNAVAILABLE` when it takes too long. */
export function within<T>(
  answer: Promise<T>,
  { clock, timeoutMs }: Pick<DecisionOptions, "clock" | "timeoutMs">,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, () =>
      reject(LintelError.of("ACCESS_UNAVAILABLE", `the access check took longer than ${timeoutMs} ms`)),
    );
    answer.finally(() => clock.clear(timer)).then(resolve, reject);
  });
}
