/** What one principal may do, asked once for each verb and subject and remembered. The only place that calls `may`. */
import { LintelError, failure, type Failure } from "../message/failure.ts";
import type { Clock } from "../runtime/clock.ts";
import type { SlicedWork } from "../runtime/sliced-work.ts";
import type { Access, Principal, PrincipalLimits, Verb } from "./access.ts";
import type { Enablement } from "./enablement.ts";
import type { Quota } from "./quota/quota.ts";

/** Undefined: it is allowed. */
export type Decision = Failure | undefined;

export function isPending(decision: Decision | Promise<Decision>): decision is Promise<Decision> {
  return decision instanceof Promise;
}

/** What is known of a decision, and how to look at it again. */
export interface Question {
  readonly decision: Decision | Promise<Decision>;
  readonly check: () => Decision | Promise<Decision>;
}

/** Calls back, at once if it is known. What was waited for and is allowed is looked at again: it may have changed by then. */
export function whenDecided({ decision, check }: Question, decided: (decision: Decision) => void): void {
  if (!isPending(decision)) return decided(decision);
  void decision.then((why) => {
    if (why === undefined) whenDecided({ decision: check(), check }, decided);
    else decided(why);
  });
  return undefined;
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
  /** Called when a principal has ended. */
  readonly onEnded: () => void;
  /** Tells those that watch, a turn's share at a time. */
  readonly endings: SlicedWork;
}

interface Known {
  readonly decision: Decision;
  /** Whether a service had enabled it when it was decided, and the version of the enablement at which that was so. */
  readonly isEnabled: boolean;
  version: number;
}

/** The verdicts of one verb. */
class Remembered {
  readonly known = new Map<string, Known>();
  /** Questions that are not answered yet, so that each is asked once. */
  readonly asked = new Map<string, { readonly isEnabled: boolean; readonly decision: Promise<Decision> }>();

  remember(subject: string, known: Known): void {
    if (this.known.size >= REMEMBERED && !this.known.has(subject)) {
      const [oldest] = this.known.keys();
      this.known.delete(oldest!);
    }
    this.known.set(subject, known);
  }
}

export class Decisions {
  readonly principal: Principal;
  /** Of the principal's tenant. */
  readonly enablement: Enablement;
  /** How much the principal may use, where it has limits, and what it has used. */
  limits: PrincipalLimits | undefined;
  quota: Quota | undefined;
  readonly #options: DecisionOptions;
  readonly #verbs = new Map<Verb, Remembered>();
  readonly #onEnded = new Set<(why: Failure) => void>();
  /** Why nothing is allowed any more. */
  #over: Failure | undefined;

  constructor(principal: Principal, enablement: Enablement, options: DecisionOptions) {
    this.principal = principal;
    this.#options = options;
    this.enablement = enablement;
  }

  /** True once it is known that the credentials are no longer good. */
  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /** Why the credentials are not good any more; undefined while they are. */
  get over(): Failure | undefined {
    if (this.#over === undefined && this.leftMs <= 0) this.end(EXPIRED);
    return this.#over;
  }

  /** What happens to it, at once where that is known. */
  check(verb: Verb, subject: string): Decision | Promise<Decision> {
    if (this.over !== undefined) return this.over;
    let remembered = this.#verbs.get(verb);
    if (remembered === undefined) this.#verbs.set(verb, (remembered = new Remembered()));
    const known = remembered.known.get(subject);
    if (known !== undefined && this.#stillHolds(known, verb, subject)) return known.decision;
    const isEnabled = this.enablement.isEnabled(verb, subject);
    const asked = remembered.asked.get(subject);
    return asked?.isEnabled === isEnabled ? asked.decision : this.#ask(remembered, verb, subject, isEnabled);
  }

  /** Of a request that opens a channel and offers another. */
  checkBoth(subject: string): Decision | Promise<Decision> {
    const opening = this.check("open", subject);
    const asking = this.check("request", subject);
    if (!isPending(opening) && !isPending(asking)) return asking ?? opening;
    return Promise.all([asking, opening]).then(([first, second]) => first ?? second);
  }

  /**
   * For what is allowed and has begun: calls back once when it is allowed no longer, because services have ended what they
   * had enabled. Returns a function that makes it not call, and undefined if it does not depend on that.
   */
  hold(verb: Verb, subject: string, onLost: (why: Failure) => void): (() => void) | undefined {
    const check = (): Decision | Promise<Decision> => this.check(verb, subject);
    const decided = (why: Decision): void => {
      if (!isHeld) return;
      if (why === undefined) release = this.enablement.depend(verb, subject, ended);
      else this.#call(onLost, why, "what depends on an enablement");
    };
    const ended = (): void => whenDecided({ decision: check(), check }, decided);
    let isHeld = true;
    let release = this.enablement.depend(verb, subject, ended);
    if (release === undefined) return undefined;
    return () => {
      isHeld = false;
      release?.();
    };
  }

  /** Calls back once, when the credentials expire or are revoked. Returns a function that makes it not call. */
  watch(listener: (why: Failure) => void): () => void {
    if (this.over !== undefined) {
      listener(this.over);
      return () => undefined;
    }
    const own = (why: Failure): void => listener(why);
    this.#onEnded.add(own);
    return () => void this.#onEnded.delete(own);
  }

  revoke(): void {
    this.end(REVOKED);
  }

  /** Nothing is allowed from now on, and nothing is remembered. */
  end(why: Failure): void {
    if (this.#over !== undefined) return;
    this.#over = why;
    this.#verbs.clear();
    this.#options.onEnded();
    if (this.#onEnded.size > 0) this.#options.endings.run(() => this.#tellOne(why));
  }

  /** Tells one that watches; false when it was the last. One that stops to watch meanwhile is not told. */
  #tellOne(why: Failure): boolean {
    const [listener] = this.#onEnded;
    if (listener === undefined) return false;
    this.#onEnded.delete(listener);
    this.#call(listener, why, "what watches a principal");
    return this.#onEnded.size > 0;
  }

  #call(listener: (why: Failure) => void, why: Failure, what: string): void {
    try {
      listener(why);
    } catch (error) {
      this.#options.onError(error, what);
    }
  }

  /** A decision is good as long as it would be asked for in the same way. */
  #stillHolds(known: Known, verb: Verb, subject: string): boolean {
    const { version } = this.enablement;
    if (known.version === version) return true;
    if (known.isEnabled !== this.enablement.isEnabled(verb, subject)) return false;
    known.version = version;
    return true;
  }

  #ask(
    remembered: Remembered,
    verb: Verb,
    subject: string,
    isEnabled: boolean,
  ): Decision | Promise<Decision> {
    const { access } = this.#options;
    const { version } = this.enablement;
    const decided = (allowed: unknown): Decision => {
      const decision = allowed === true ? undefined : failure("PERMISSION_DENIED");
      remembered.remember(subject, { decision, isEnabled, version });
      return decision;
    };
    let answer: unknown; // it is user code: anything but true means no
    try {
      answer = access.may(this.principal, verb, subject, isEnabled);
    } catch (error) {
      return this.#failed(error, verb);
    }
    if (typeof answer === "boolean") return decided(answer);
    const answered = (): void => {
      if (remembered.asked.get(subject)?.decision === decision) remembered.asked.delete(subject);
    };
    const decision: Promise<Decision> = within(Promise.resolve(answer), this.#options).then(
      (allowed) => {
        if (this.#over !== undefined) return this.#over;
        answered();
        return decided(allowed);
      },
      (error: unknown) => {
        answered();
        return this.#over ?? this.#failed(error, verb);
      },
    );
    remembered.asked.set(subject, { isEnabled, decision });
    return decision;
  }

  #failed(error: unknown, verb: Verb): Failure {
    if (error instanceof LintelError) return error.toFailure();
    this.#options.onError(error, `access.may(${JSON.stringify(this.principal.id)}, ${JSON.stringify(verb)})`);
    return failure("ACCESS_UNAVAILABLE");
  }

  /** Milliseconds until the credentials expire. */
  get leftMs(): number {
    const { expiresAt } = this.principal;
    return expiresAt === undefined ? Infinity : expiresAt - this.#options.timeOfDay();
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
