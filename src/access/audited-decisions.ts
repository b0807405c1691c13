import type { EnabledVerb, Endable, Enabling } from "../message/delivery.ts";
import { LintelError, toFailure, type Failure } from "../message/failure.ts";
import type { Origin } from "../message/origin.ts";
import type { Administered, Observer } from "../observe/observer.ts";
import type { RefusedRequest } from "../transport/transport.ts";
import type { Verb } from "./access.ts";
import { isPending, type Decision, type Decisions } from "./decisions.ts";

/** What a guard asks of the decisions about a principal. */
export type DecisionsOf = Pick<
  Decisions,
  "principal" | "enablement" | "isOver" | "leftMs" | "check" | "checkBoth" | "hold" | "watch"
>;

/** Decisions about a principal at one place, of which an observer hears each that is refused, once. */
export class AuditedDecisions implements DecisionsOf {
  readonly #decisions: Decisions;
  readonly #origin: Origin;
  readonly #observer: Observer;

  constructor(decisions: Decisions, { gateway, remote }: Omit<Origin, "principal">, observer: Observer) {
    this.#decisions = decisions;
    this.#origin = { gateway, remote, principal: decisions.principal };
    this.#observer = observer;
  }

  get principal(): Decisions["principal"] {
    return this.#decisions.principal;
  }

  get enablement(): Decisions["enablement"] {
    return this.#decisions.enablement;
  }

  get isOver(): boolean {
    return this.#decisions.isOver;
  }

  get leftMs(): number {
    return this.#decisions.leftMs;
  }

  /** One that is allowed after it was waited for is checked again by whoever waits: so each refusal is told once. */
  check(verb: Verb, subject: string): Decision | Promise<Decision> {
    const decision = this.#decisions.check(verb, subject);
    return decision === undefined && verb !== "admin" ? undefined : this.#told(decision, verb, subject);
  }

  checkBoth(subject: string): Decision | Promise<Decision> {
    const decision = this.#decisions.checkBoth(subject);
    return decision === undefined ? undefined : this.#told(decision, "open", subject);
  }

  hold(verb: Verb, subject: string, onLost: (why: Failure) => void): (() => void) | undefined {
    return this.#decisions.hold(verb, subject, (why) => {
      this.refused(verb, subject, why);
      onLost(why);
    });
  }

  watch(listener: (why: Failure) => void): () => void {
    return this.#decisions.watch(listener);
  }

  refused(verb: string | undefined, subject: string | undefined, why: Failure): void {
    tellRefused(this.#observer, this.#origin, why, verb, subject);
  }

  /** Makes an enablement that is told of, with its end. */
  enabling(
    verb: EnabledVerb,
    pattern: string,
    { onEnded }: Endable,
    make: (options: Endable) => Enabling,
  ): Enabling {
    let state: "asked" | "made" | "over" = "asked";
    const over = (): void => {
      if (state === "made") this.#administered("disabled", pattern, verb);
      state = "over";
    };
    const enabling = make({
      onEnded: (why) => {
        over();
        onEnded?.(why);
      },
    });
    enabling.ready.then(
      () => {
        if (state === "over") return; // it ended at once
        state = "made";
        this.#administered("enabled", pattern, verb);
      },
      (error: unknown) => {
        if (state === "asked") this.refused("enable", pattern, refusalOf(error));
        state = "over";
      },
    );
    const close = (): Promise<void> => {
      over();
      return enabling.close();
    };
    return { ready: enabling.ready, close };
  }

  #told(decision: Decision | Promise<Decision>, verb: Verb, subject: string): typeof decision {
    if (isPending(decision)) return decision.then((why) => this.#told(why, verb, subject));
    if (decision !== undefined) this.refused(verb, subject, decision);
    else if (verb === "admin") this.#administered("used", subject); // whoever asked does it now
    return decision;
  }

  #administered(action: Administered["action"], name: string, verb?: EnabledVerb): void {
    this.#observer.administered?.({ ...this.#origin, action, name, verb });
  }
}

/** Tells of something that was refused. `verb` and `subject` are left out for what is about the connection as a whole. */
export function tellRefused(
  observer: Observer | undefined,
  { gateway, remote, principal }: Origin,
  { code, reason }: Failure,
  verb?: string,
  subject?: string,
): void {
  observer?.refused?.({ gateway, remote, principal, verb, subject, code, reason });
}

/** Tells of web pages, and of host names, that a gateway does not let in. Undefined where nobody listens. */
export function pageRefusals(
  observer: Observer | undefined,
  gateway: string,
): ((refused: RefusedRequest) => void) | undefined {
  if (observer?.refused === undefined) return undefined;
  return ({ why, remote, path }) =>
    tellRefused(observer, { gateway, remote, principal: undefined }, why, undefined, path);
}

/** The refusal that an error of an access check stands for. */
export function refusalOf(error: unknown): Failure {
  return toFailure(error, LintelError.of("ACCESS_UNAVAILABLE").toFailure());
}
