import type { Refused } from "../observe/observer.ts";
import type { Failure } from "../message/failure.ts";
import type { Credentials, Verb } from "./access.ts";
import { isPending, type Decision, type Decisions } from "./decisions.ts";

/** What a guard asks of the decisions about a principal. */
export type DecisionsOf = Pick<
  Decisions,
  "principal" | "enablement" | "isOver" | "leftMs" | "check" | "hold" | "watch"
>;

/** Decisions about a principal, of which an observer hears each that is refused, once. */
export class AuditedDecisions implements DecisionsOf {
  readonly #decisions: Decisions;
  readonly #from: Pick<Credentials, "gateway" | "remote">;
  readonly #refused: (event: Refused) => void;

  constructor(
    decisions: Decisions,
    from: Pick<Credentials, "gateway" | "remote">,
    refused: (event: Refused) => void,
  ) {
    this.#decisions = decisions;
    this.#from = from;
    this.#refused = refused;
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
    if (decision === undefined) return undefined;
    if (!isPending(decision)) return this.#told(verb, subject, decision);
    return decision.then((why) => (why === undefined ? undefined : this.#told(verb, subject, why)));
  }

  hold(verb: Verb, subject: string, onLost: (why: Failure) => void): (() => void) | undefined {
    return this.#decisions.hold(verb, subject, (why) => onLost(this.#told(verb, subject, why)));
  }

  watch(listener: (why: Failure) => void): () => void {
    return this.#decisions.watch(listener);
  }

  #told(verb: Verb, subject: string, why: Failure): Failure {
    const { gateway, remote } = this.#from;
    const { code, reason } = why;
    this.#refused({ gateway, remote, principal: this.principal, verb, subject, code, reason });
    return why;
  }
}
