/** What one connection subscribes to, besides its private channel. */
import type { Admitted } from "../../access/admission.ts";
import { whenDecided } from "../../access/decisions.ts";
import type { Failure } from "../../message/failure.ts";
import type { Listener } from "./channels.ts";
import type { TextOutlet } from "./outlet.ts";
import type { TextTenant } from "./tenant.ts";

interface Subscribed {
  readonly listener: Listener;
  /** It is no longer looked after whether it is allowed. */
  release: (() => void) | undefined;
}

export interface SubscriptionsOwner {
  readonly admitted: Admitted;
  readonly tenant: TextTenant;
  readonly outlet: TextOutlet;
}

export class TextSubscriptions {
  readonly #owner: SubscriptionsOwner;
  readonly #subscribed = new Map<string, Subscribed>();

  constructor(owner: SubscriptionsOwner) {
    this.#owner = owner;
  }

  get size(): number {
    return this.#subscribed.size;
  }

  has(subject: string): boolean {
    return this.#subscribed.has(subject);
  }

  /** `onRefused` is called if it may not be made, or ends by itself. */
  add(subject: string, onRefused: (why: Failure) => void): void {
    const { admitted, tenant, outlet } = this.#owner;
    const why = admitted.told(admitted.quota?.takeSubscription(), "subscribe", subject);
    if (why !== undefined) return onRefused(why);
    const ended = (reason: Failure): void => {
      if (this.#subscribed.get(subject) !== subscribed) return;
      this.remove(subject);
      onRefused(reason);
    };
    const subscribed: Subscribed = { listener: { outlet, ended }, release: undefined };
    this.#subscribed.set(subject, subscribed);
    const check = (): ReturnType<Admitted["check"]> => admitted.check("subscribe", subject);
    whenDecided({ decision: check(), check }, (refusal) => {
      if (this.#subscribed.get(subject) !== subscribed) return;
      if (refusal !== undefined) return ended(refusal);
      subscribed.release = admitted.hold("subscribe", subject, ended);
      tenant.channels.add(subject, subscribed.listener).catch(() => undefined); // `ended` is called
    });
    return undefined;
  }

  /** False when there is none. */
  remove(subject: string): boolean {
    const subscribed = this.#subscribed.get(subject);
    if (subscribed === undefined) return false;
    this.#subscribed.delete(subject);
    this.#owner.admitted.quota?.giveSubscription();
    subscribed.release?.();
    this.#owner.tenant.channels.remove(subject, subscribed.listener);
    return true;
  }

  /** Removes any one of them; false when it was the last. */
  removeOne(): boolean {
    const [first] = this.#subscribed.keys();
    if (first !== undefined) this.remove(first);
    return this.#subscribed.size > 0;
  }
}
