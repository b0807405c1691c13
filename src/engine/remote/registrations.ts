import { PatternTrie } from "../../collections/pattern-trie.ts";
import { defer, type Deferred } from "../../runtime/deferred.ts";
import type { EnabledVerb, Endable, Route, Subscriber, Worker } from "../../message/delivery.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { Overflow } from "../../message/overflow.ts";
import type { Observer } from "../../observe/observer.ts";
import { tellRegistration, type Registered } from "../../observe/registration.ts";
import type { Session } from "../../session/session.ts";
import { FrameType } from "../../wire/frame.ts";
import type { CheckedService } from "../check-options.ts";

/** What fits the frame; it is as good as no bound. */
const MAX_CONCURRENCY = 0xffff_ffff;

/** What a bound subject leads to at this end. */
export interface Incoming {
  readonly route: Route;
  /** For requests: the service. */
  readonly service: ServiceEntry | undefined;
  /** For publications: the subscribers, as of `version`. */
  subscribers: readonly Subscriber[];
  version: number;
}

interface Entry extends Endable {
  readonly number: number;
  readonly pattern: string;
  readonly ready: Promise<void>;
  readonly settle: { resolve(): void; reject(error: Error): void };
  /** True once the hub has taken it. */
  accepted: boolean;
}

export interface ServiceEntry extends Entry {
  readonly worker: Worker;
  readonly queue: string;
  /** 0: as many as the hub thinks fit. */
  readonly concurrency: number;
  /** Resolves when it has left and the hub sends no more requests for it. */
  readonly left: Deferred;
  /** Its worker is gone: what still comes for it cannot be executed. */
  lost: boolean;
}

export interface SubscriptionEntry extends Entry {
  readonly subscriber: Subscriber;
  readonly overflow: Overflow;
}

/** What clients of the hub may do as long as this end wants it. */
export interface EnablingEntry extends Entry {
  readonly verb: EnabledVerb;
  /** Resolves when the hub has ended it. */
  readonly left: Deferred;
}

type AnyEntry = ServiceEntry | SubscriptionEntry | EnablingEntry;

/** What this end serves, listens to and enables: announced to the hub, and announced again whenever the session is new. */
export class Registrations {
  readonly services: Map<number, ServiceEntry> = new Map();
  readonly #subscriptions = new Map<number, SubscriptionEntry>();
  readonly #enablings = new Map<number, EnablingEntry>();
  /** Services and enablements that have ended here, until the hub has confirmed: services may still be sent requests. */
  readonly #leaving = new Set<number>();
  readonly #subscribers = new PatternTrie<Subscriber>();
  readonly #observer: Observer | undefined;
  #next = 1;
  #version = 1;

  constructor(observer?: Observer) {
    this.#observer = observer;
  }

  addService(
    { pattern, queue, concurrency }: CheckedService,
    worker: Worker,
    options: Endable,
  ): ServiceEntry {
    const entry = {
      ...this.#entry(pattern, options),
      worker,
      queue,
      concurrency: Math.min(concurrency ?? 0, MAX_CONCURRENCY),
      left: defer(),
      lost: false,
    };
    this.services.set(entry.number, entry);
    return entry;
  }

  addSubscription(
    pattern: string,
    subscriber: Subscriber,
    overflow: Overflow,
    options: Endable,
  ): SubscriptionEntry {
    const entry = { ...this.#entry(pattern, options), subscriber, overflow };
    this.#subscriptions.set(entry.number, entry);
    this.#subscribers.add(pattern, subscriber);
    this.#version++;
    return entry;
  }

  addEnabling(verb: EnabledVerb, pattern: string, options: Endable): EnablingEntry {
    const entry = { ...this.#entry(pattern, options), verb, left: defer() };
    this.#enablings.set(entry.number, entry);
    return entry;
  }

  /** True while the hub has not confirmed that a service or an enablement has ended. */
  get isLeaving(): boolean {
    return this.#leaving.size > 0;
  }

  /** Ends a registration; false when it had ended before. All but subscriptions are kept until `ready` confirms, or `lost`. */
  leave(number: number): boolean {
    if (this.services.has(number) || this.#enablings.has(number)) {
      if (this.#leaving.has(number)) return false;
      this.#leaving.add(number);
      return true;
    }
    return this.#removeSubscription(number);
  }

  /** The session is gone: no confirmation will arrive. */
  lost(): void {
    for (const number of this.#leaving) this.#remove(number);
    this.#leaving.clear();
  }

  announce(session: Session<Incoming>, entry: AnyEntry): void {
    if ("verb" in entry) this.#enable(session, entry);
    else if ("worker" in entry) session.serve(entry.number, entry.pattern, entry.queue, entry.concurrency);
    else session.subscribe(entry.number, entry.pattern, entry.overflow);
  }

  announceAll(session: Session<Incoming>): void {
    for (const entry of [...this.#all()]) this.announce(session, entry);
  }

  /** The hub has done what was asked for: SERVE, SUBSCRIBE, ENABLE or LEAVE. */
  ready(number: number, asked: number): void {
    if (asked !== FrameType.leave) {
      const entry = this.#find(number);
      if (entry === undefined) return;
      if (!entry.accepted && !("verb" in entry))
        tellRegistration(this.#observer, "added", registeredBy(entry));
      entry.accepted = true;
      entry.settle.resolve();
    } else if (this.#leaving.delete(number)) this.#remove(number);
  }

  /** The hub does not take it, or takes it no longer: when it was announced anew, or because the hub cannot keep it. */
  refused(number: number, why: Failure): void {
    const entry = this.#find(number);
    entry?.settle.reject(LintelError.from(why));
    this.#leaving.delete(number);
    this.#remove(number);
    if (entry?.accepted === true) entry.onEnded?.(why);
  }

  /** The hub has ended the session because it did not keep up: subscriptions with overflow "disconnect" have missed something. */
  cutOff(why: Failure): boolean {
    const strict = [...this.#subscriptions.values()].filter(
      ({ overflow, accepted }) => accepted && overflow === "disconnect",
    );
    for (const { number } of strict) this.refused(number, why);
    return strict.length > 0;
  }

  /** The hub takes none of them any more. */
  refuseAll(why: Failure): void {
    for (const { number } of [...this.#all()]) this.refused(number, why);
  }

  /** Rejects what was not yet accepted. */
  close(error: LintelError): void {
    for (const entry of this.#all()) entry.settle.reject(error);
    for (const { left } of [...this.services.values(), ...this.#enablings.values()]) left.resolve();
  }

  /** The listeners of a publication that came for a bound subject. */
  listeners(incoming: Incoming): readonly Subscriber[] {
    if (incoming.version !== this.#version) {
      incoming.version = this.#version;
      // A subscriber with several matching patterns gets one copy.
      incoming.subscribers = [...new Set(this.#subscribers.match(incoming.route.subject))];
    }
    return incoming.subscribers;
  }

  *#all(): Generator<AnyEntry> {
    yield* this.services.values();
    yield* this.#subscriptions.values();
    yield* this.#enablings.values(); // P-153: the last
  }

  /** P-146 */
  #enable(session: Session<Incoming>, { number, verb, pattern }: EnablingEntry): void {
    if (session.peerTakesEnable) session.enable(number, verb, pattern);
    else this.refused(number, failure("ENABLE_UNSUPPORTED"));
  }

  #remove(number: number): void {
    this.#removeService(number);
    this.#removeSubscription(number);
    const enabling = this.#enablings.get(number);
    if (enabling === undefined) return;
    this.#enablings.delete(number);
    enabling.settle.reject(unaccepted());
    enabling.left.resolve();
  }

  #removeService(number: number): void {
    const service = this.services.get(number);
    if (service === undefined) return;
    service.settle.reject(unaccepted());
    this.services.delete(number);
    if (service.accepted) tellRegistration(this.#observer, "removed", registeredBy(service));
    service.left.resolve();
  }

  #removeSubscription(number: number): boolean {
    const subscription = this.#subscriptions.get(number);
    if (subscription === undefined) return false;
    subscription.settle.reject(unaccepted());
    this.#subscriptions.delete(number);
    this.#subscribers.remove(subscription.pattern, subscription.subscriber);
    if (subscription.accepted) tellRegistration(this.#observer, "removed", registeredBy(subscription));
    this.#version++;
    return true;
  }

  #find(number: number): AnyEntry | undefined {
    return this.services.get(number) ?? this.#subscriptions.get(number) ?? this.#enablings.get(number);
  }

  #entry(pattern: string, { onEnded }: Endable): Entry {
    const number = this.#next;
    this.#next = (number + 1) >>> 0 || 1;
    const { promise: ready, ...settle } = defer();
    ready.catch(() => undefined); // code that awaits it handles it; without that it must not end the process
    return { number, pattern, ready, settle, accepted: false, onEnded };
  }
}

function unaccepted(): LintelError {
  return LintelError.of("CLOSED", "it was closed before it was accepted");
}

function registeredBy(entry: ServiceEntry | SubscriptionEntry): Registered {
  const { pattern } = entry;
  if ("worker" in entry) return { kind: "service", pattern, queue: entry.queue, origin: entry.worker.origin };
  return { kind: "subscription", pattern, origin: entry.subscriber.origin };
}
