/** What one connection enables clients to do: EPUB, ESUB, and EREQ. */
import type { Admitted } from "../../access/admission.ts";
import type { EnabledVerb, Enabling } from "../../message/delivery.ts";
import { toFailure, type Failure } from "../../message/failure.ts";

export class TextEnablings {
  readonly #admitted: Admitted;
  readonly #all = new Map<string, Enabling>();
  #isClosed = false;

  constructor(admitted: Admitted) {
    this.#admitted = admitted;
  }

  get size(): number {
    return this.#all.size;
  }

  has(key: string): boolean {
    return this.#all.has(key);
  }

  /** Enables, under a name of its own. `onRefused` is called if it may not, or when its right to has ended. */
  add(key: string, verb: EnabledVerb, subject: string, onRefused: (why: Failure) => void): void {
    if (this.#isClosed) return;
    const ended = (why: Failure): void => {
      if (this.#all.get(key) === enabling && this.#all.delete(key)) onRefused(why);
    };
    const enabling = this.#admitted.enable(verb, subject, { onEnded: ended });
    this.#all.set(key, enabling);
    enabling.ready.catch((error: unknown) => ended(toFailure(error)));
  }

  remove(key: string): void {
    const enabling = this.#all.get(key);
    this.#all.delete(key);
    void enabling?.close();
  }

  /** Ends all of them, at once, and makes none any more. */
  close(): void {
    this.#isClosed = true;
    const all = [...this.#all.values()];
    this.#all.clear();
    for (const enabling of all) void enabling.close();
  }
}
