import { ENABLED_VERBS, type EnabledVerb, type Enabler, type Enabling } from "../message/delivery.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import { checkArgument } from "../message/options.ts";
import { defer } from "../runtime/deferred.ts";
import type { Enablement } from "./peer.ts";
import type { OnError } from "./service.ts";

/** Something that clients may do as long as a peer wants it. */
export class PeerEnablement implements Enablement {
  readonly verb: EnabledVerb;
  readonly pattern: string;
  readonly #enabling: Enabling;
  readonly #over = defer();

  constructor(enabler: Enabler, verb: EnabledVerb, pattern: string, onError: OnError) {
    checkArgument("enable", "the verb", verb, () =>
      ENABLED_VERBS.includes(verb) ? undefined : `one of ${ENABLED_VERBS.join(", ")}`,
    );
    this.verb = verb;
    this.pattern = pattern;
    this.#over.promise.catch(() => undefined); // code that needs to know uses `closed`, and onError is told
    const onEnded = (why: Failure): void => {
      const error = LintelError.from(why);
      this.#over.reject(error);
      onError(error, `the enablement of ${verb} ${pattern}`);
    };
    this.#enabling = enabler.enable(verb, pattern, { onEnded });
  }

  /** Resolves when clients may do it. */
  get ready(): Promise<void> {
    return this.#enabling.ready;
  }

  get closed(): Promise<void> {
    return this.#over.promise;
  }

  async close(): Promise<void> {
    await this.#enabling.close();
    this.end();
  }

  /** Its peer has been closed. */
  end(): void {
    this.#over.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
