import { LintelError, type Failure } from "../../message/failure.ts";
import type { Overflow } from "../../message/overflow.ts";
import type { FanOutTarget, SessionListener } from "./fan-out.ts";
import type { SessionPrincipal } from "./session-principal.ts";

interface Subscribed {
  readonly pattern: string;
  readonly listener: SessionListener;
  /** It is no longer looked after whether it is allowed. */
  release: (() => void) | undefined;
  /** It is one of the subscriptions of the principal's quota. */
  readonly isCounted: boolean;
}

/** What one session subscribes to, by its numbers of registrations. */
export class SessionSubscriptions {
  readonly #principal: SessionPrincipal;
  readonly #subscribed = new Map<number, Subscribed>();

  constructor(principal: SessionPrincipal) {
    this.#principal = principal;
  }

  get size(): number {
    return this.#subscribed.size;
  }

  has(registration: number): boolean {
    return this.#subscribed.has(registration);
  }

  /** Resolves when publications reach it. `ended` is called if it ends by itself. */
  add(
    registration: number,
    target: FanOutTarget,
    { pattern, overflow }: { readonly pattern: string; readonly overflow: Overflow },
    ended: (why: Failure) => void,
  ): Promise<void> {
    const listener: SessionListener = { target, overflow, ended };
    const { quota } = this.#principal;
    const why = this.#principal.takeSubscription(pattern);
    const isCounted = quota !== undefined && why === undefined;
    const subscribed: Subscribed = { pattern, listener, release: undefined, isCounted };
    this.#subscribed.set(registration, subscribed);
    if (why !== undefined) return Promise.reject(LintelError.from(why));
    const isWanted = (): boolean => this.#subscribed.get(registration) === subscribed;
    return this.#principal.subscribe(pattern, isWanted, () => {
      subscribed.release = this.#principal.hold("subscribe", pattern, ended);
      return this.#principal.tenant.fanOut.add(pattern, listener);
    });
  }

  /** False when there is none. */
  remove(registration: number): boolean {
    const subscribed = this.#subscribed.get(registration);
    if (subscribed === undefined) return false;
    this.#subscribed.delete(registration);
    if (subscribed.isCounted) this.#principal.quota?.giveSubscription();
    subscribed.release?.();
    this.#principal.tenant.fanOut.remove(subscribed.pattern, subscribed.listener);
    return true;
  }

  /** Removes any one of them; false when it was the last. */
  removeOne(): boolean {
    const [first] = this.#subscribed.keys();
    if (first !== undefined) this.remove(first);
    return this.#subscribed.size > 0;
  }
}
