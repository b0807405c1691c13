import type { Admission } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import type { ReadBudget } from "../../stream/read-window.ts";
import { isPattern, isSubject } from "../../message/subject.ts";
import type { BeamSettings } from "./options.ts";
import type { BeamStats } from "./stats.ts";

/** What all connections of a gateway share. */
export class BeamContext {
  readonly engine: Engine;
  /** Decides which callers are admitted. */
  readonly admission: Admission;
  readonly settings: BeamSettings;
  readonly budget: ReadBudget;
  readonly stats: BeamStats = {
    connections: 0,
    attachments: 0,
    messages: 0,
    lost: 0,
    refused: 0,
    dropped: 0,
    malformed: 0,
  };
  /** Why nothing new is taken. */
  refusal: Failure | undefined;

  #callers = 0;

  constructor(engine: Engine, admission: Admission, settings: BeamSettings, budget: ReadBudget) {
    this.engine = engine;
    this.admission = admission;
    this.settings = settings;
    this.budget = budget;
  }

  /** Each connection is a caller of its own, because programs on the socket have no address. */
  nextCaller(): string {
    this.#callers++;
    return `beam ${this.#callers}`;
  }

  /** The subject of a name, or undefined when it has none that a peer may use. */
  subjectOf(name: string): string | undefined {
    const subject = this.#prefixed(name);
    return isSubject(subject) && !name.startsWith("_") ? subject : undefined;
  }

  /** The pattern of what a worker registers for, or undefined. */
  patternOf(name: string): string | undefined {
    const pattern = this.#prefixed(name);
    return isPattern(pattern) && !name.startsWith("_") ? pattern : undefined;
  }

  /** The name that goes with a subject. */
  nameOf(subject: string): string {
    const { prefix } = this.settings;
    return prefix === "" ? subject : subject.slice(prefix.length + 1);
  }

  report(why: Failure, where: string): void {
    this.settings.onError(LintelError.from(why), where);
  }

  #prefixed(name: string): string {
    const { prefix } = this.settings;
    return prefix === "" ? name : `${prefix}.${name}`;
  }
}
