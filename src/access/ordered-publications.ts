import type { Kept } from "../broker/kept-requests.ts";
import type { Engine } from "../engine/engine.ts";
import type { Route } from "../message/delivery.ts";
import { LintelError } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import { isPending, type Decision, type Question } from "./decisions.ts";
import type { WaitingRequests } from "./waiting-requests.ts";

interface Waiting {
  readonly route: Route;
  readonly kept: Kept;
  question: Question;
  readonly resolve: (room: Promise<void> | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Publications of one publisher while one of them waits for a decision: those behind it wait, too, for they keep their order. */
export class OrderedPublications {
  readonly #engine: Engine;
  readonly #room: WaitingRequests;
  /** The caller that their bytes count for. */
  readonly #caller: string;
  #waiting: Waiting[] = [];

  constructor(engine: Engine, room: WaitingRequests, caller: string) {
    this.#engine = engine;
    this.#room = room;
    this.#caller = caller;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Resolves when it is published; rejects when it may not be. Throws when there is no room to keep it. */
  add(route: Route, publication: Message, question: Question): Promise<void> {
    const kept = this.#room.keep(publication, this.#caller);
    if ("code" in kept) throw LintelError.from(kept);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ route, kept, question, resolve, reject });
      if (this.#waiting.length === 1) this.#go();
    });
  }

  #go(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { decision, check } = next.question;
      if (isPending(decision)) {
        const waiting = next;
        void decision.then((decided) => {
          waiting.question = { decision: decided, check };
          this.#go();
        });
        return;
      }
      // What was allowed when it came is looked at again: it may have changed while it waited.
      const current = decision ?? check();
      if (isPending(current)) {
        next.question = { decision: current, check };
        continue;
      }
      this.#waiting.shift();
      this.#publish(next, current);
    }
  }

  #publish({ route, kept, resolve, reject }: Waiting, decision: Decision): void {
    this.#room.release(kept);
    try {
      if (decision !== undefined) throw LintelError.from(decision);
      resolve(this.#engine.publish(route, kept.message!));
    } catch (error) {
      reject(error);
    }
  }
}
