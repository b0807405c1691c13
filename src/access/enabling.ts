/** What services enable clients to do: checked, made, and ended with the right to do so. */
import type { EnabledVerb, Endable, Enabler, Enabling } from "../message/delivery.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import { checkPattern } from "../message/subject.ts";
import { defer } from "../runtime/deferred.ts";
import type { Principal, Verb } from "./access.ts";
import { whenDecided, type Decision, type Decisions } from "./decisions.ts";
import type { Enablement } from "./enablement.ts";

/** What a service must be allowed to do itself: the other side of what it enables clients to do (P-149). */
const COUNTERPART: Readonly<Record<EnabledVerb, Verb>> = {
  request: "serve",
  publish: "subscribe",
  subscribe: "publish",
};

const ROLES: ReadonlySet<string> = new Set<Principal["role"]>(["service", "admin"]);

const NO_SERVICE: Failure = Object.freeze(
  failure("PERMISSION_DENIED", "only services and administrators can enable subjects for clients"),
);

/** Where nothing is checked: it is confirmed, and changes nothing (P-152). */
export const openEnabler: Enabler = {
  enable: (_verb, pattern) => {
    checkPattern(pattern);
    return { ready: Promise.resolve(), close: () => Promise.resolve() };
  },
};

/** Enables without asking: for the hub's own process. */
export function ownEnabler(enablement: Enablement): Enabler {
  return {
    enable: (verb, pattern) => {
      const end = enablement.add(verb, checkPattern(pattern));
      let isOver = false;
      const close = (): Promise<void> => {
        if (!isOver) end();
        isOver = true;
        return Promise.resolve();
      };
      return { ready: Promise.resolve(), close };
    },
  };
}

/** An enablement by a principal. */
export class PrincipalEnabling implements Enabling {
  readonly ready: Promise<void>;
  readonly #onEnded: Endable["onEnded"];
  /** What ends it: the enablement itself, and what watches over it. */
  readonly #ends: ((() => void) | undefined)[] = [];
  readonly #made = defer();
  #state: "asked" | "made" | "over" = "asked";

  constructor(decisions: Decisions, verb: EnabledVerb, pattern: string, { onEnded }: Endable) {
    this.ready = this.#made.promise;
    this.ready.catch(() => undefined); // code that awaits it handles it
    this.#onEnded = onEnded;
    checkPattern(pattern);
    const needed = COUNTERPART[verb];
    const check = (): Decision | Promise<Decision> =>
      ROLES.has(decisions.principal.role) ? decisions.check(needed, pattern) : NO_SERVICE;
    whenDecided({ decision: check(), check }, (why) => {
      if (this.#state === "over") return;
      if (why !== undefined) return this.#end(why);
      this.#state = "made";
      const end = (ended: Failure): void => this.#end(ended);
      this.#ends.push(decisions.enablement.add(verb, pattern), decisions.hold(needed, pattern, end));
      const unwatch = decisions.watch(end);
      if (this.#isOver) unwatch();
      else this.#ends.push(unwatch);
      this.#made.resolve();
    });
  }

  close(): Promise<void> {
    this.#finish();
    this.#made.reject(LintelError.of("CLOSED", "it was closed before it was accepted"));
    return Promise.resolve();
  }

  get #isOver(): boolean {
    return this.#state === "over";
  }

  #end(why: Failure): void {
    const wasMade = this.#state === "made";
    if (!this.#finish()) return;
    if (wasMade) this.#onEnded?.(why);
    else this.#made.reject(LintelError.from(why));
  }

  /** False when it was over. */
  #finish(): boolean {
    if (this.#state === "over") return false;
    this.#state = "over";
    for (const end of this.#ends.splice(0)) end?.();
    return true;
  }
}
