import { LintelError } from "../message/failure.ts";
import {
  DEFAULT_TENANT,
  type Access,
  type Credentials,
  type Principal,
  type Verb,
} from "../access/access.ts";

export interface TestAccessOptions {
  /** What is allowed. Default: nothing is. */
  readonly allows?: (verb: Verb, subject: string, principal: Principal, isEnabled: boolean) => boolean;
  /** The valid tokens. Default: no token is needed. */
  readonly tokens?: readonly string[];
  /** Answers wait until `answer` is called. Default false: they come at once. */
  readonly isSlow?: boolean;
}

/** Denies everything unless told otherwise, and records what it was asked. For tests. */
export class TestAccess implements Access {
  /** What `authenticate` was given. */
  readonly credentials: Credentials[] = [];
  /** What `may` was asked: `<id of the principal> <verb> <subject>`. */
  readonly asked: string[] = [];
  readonly #options: TestAccessOptions;
  #isSlow: boolean;
  #waiting: (() => void)[] = [];
  #onAsked: (() => void)[] = [];
  #onRevoked: ((principal: Principal) => void) | undefined;

  constructor(options: TestAccessOptions = {}) {
    this.#options = options;
    this.#isSlow = options.isSlow ?? false;
  }

  /** The principal of a token; without one, of whoever shows none. */
  static principal(token = "nobody"): Principal {
    return { id: token, tenant: DEFAULT_TENANT, role: "test" };
  }

  authenticate(credentials: Credentials): Principal | Promise<Principal> {
    const { token } = credentials;
    const { tokens } = this.#options;
    this.credentials.push(credentials);
    return this.#answer(() => {
      if (tokens !== undefined && (token === undefined || !tokens.includes(token)))
        throw LintelError.of("UNAUTHENTICATED");
      return TestAccess.principal(token);
    });
  }

  may(principal: Principal, verb: Verb, subject: string, isEnabled: boolean): boolean | Promise<boolean> {
    this.asked.push(`${principal.id} ${verb} ${subject}`);
    return this.#answer(() => this.#options.allows?.(verb, subject, principal, isEnabled) ?? false);
  }

  onRevoked(listener: (principal: Principal) => void): void {
    this.#onRevoked = listener;
  }

  /** Questions without an answer. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when a question waits for its answer. */
  async untilAsked(): Promise<void> {
    while (this.#waiting.length === 0) await new Promise<void>((resolve) => this.#onAsked.push(resolve));
  }

  /** Answers what waits, and what comes from now on at once. */
  answer(): void {
    this.#isSlow = false;
    for (const answer of this.#waiting.splice(0)) answer();
  }

  /** Answers come no longer at once. */
  slowDown(): void {
    this.#isSlow = true;
  }

  revoke(token?: string): void {
    this.#onRevoked?.(TestAccess.principal(token));
  }

  #answer<T>(decide: () => T): T | Promise<T> {
    if (!this.#isSlow) return decide();
    const answered = new Promise<void>((resolve) => this.#waiting.push(resolve)).then(decide);
    for (const tell of this.#onAsked.splice(0)) tell();
    return answered;
  }
}
