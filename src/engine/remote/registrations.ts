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
  /** What observers hear of it. */
  readonly registered: Registered | undefined;
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
  readonly #entries = new Map<number, AnyEntry>();
  /** What has ended here, until the hub has confirmed: services may still be sent requests. */
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
    return this.#add({
      ...this.#entry(pattern, options, { kind: "service", pattern, queue, origin: worker.origin }),
      worker,
      queue,
      concurrency: Math.min(concurrency ?? 0, MAX_CONCURRENCY),
      left: defer(),
      lost: false,
    });
  }

  addSubscription(
    pattern: string,
    subscriber: Subscriber,
    overflow: Overflow,
    options: Endable,
  ): SubscriptionEntry {
    this.#subscribers.add(pattern, subscriber);
    this.#version++;
    const registered: Registered = { kind: "subscription", pattern, origin: subscriber.origin };
    return this.#add({ ...this.#entry(pattern, options, registered), subscriber, overflow });
  }

  addEnabling(verb: EnabledVerb, pattern: string, options: Endable): EnablingEntry {
    return this.#add({ ...this.#entry(pattern, options), verb, left: defer() });
  }

  get services(): readonly ServiceEntry[] {
    return [...this.#entries.values()].filter((entry) => "worker" in entry);
  }

  service(number: number): ServiceEntry | undefined {
    const entry = this.#entries.get(number);
    return entry !== undefined && "worker" in entry ? entry : undefined;
  }

  /** True while the hub has not confirmed that something has ended. */
  get isLeaving(): boolean {
    return this.#leaving.size > 0;
  }

  /** Ends a registration; false when it had ended before. All but subscriptions are kept until `ready` confirms, or `lost`. */
  leave(number: number): boolean {
    const entry = this.#entries.get(number);
    if (entry === undefined || this.#leaving.has(number)) return false;
    if ("subscriber" in entry) this.#remove(entry);
    else this.#leaving.add(number);
    return true;
  }

  /** The session is gone: no confirmation will arrive. */
  lost(): void {
    for (const number of this.#leaving) this.#remove(this.#entries.get(number));
    this.#leaving.clear();
  }

  announce(session: Session<Incoming>, entry: AnyEntry): void {
    const { number, pattern } = entry;
    if ("worker" in entry) session.serve(number, pattern, entry.queue, entry.concurrency);
    else if ("subscriber" in entry) session.subscribe(number, pattern, entry.overflow);
    else if (session.peerTakesEnable) session.enable(number, entry.verb, pattern);
    else this.refused(number, failure("ENABLE_UNSUPPORTED")); // P-146
  }

  announceAll(session: Session<Incoming>): void {
    const all = [...this.#entries.values()];
    for (const kind of ["worker", "subscriber", "verb"])
      // P-153
      for (const entry of all) if (kind in entry) this.announce(session, entry);
  }

  /** The hub has done what was asked for: SERVE, SUBSCRIBE, ENABLE or LEAVE. */
  ready(number: number, asked: number): void {
    const entry = this.#entries.get(number);
    if (entry === undefined) return;
    if (asked === FrameType.leave) {
      if (this.#leaving.delete(number)) this.#remove(entry);
      return;
    }
    if (!entry.accepted) this.#tell("added", entry);
    entry.accepted = true;
    entry.settle.resolve();
  }

  /** The hub does not take it, or takes it no longer: when it was announced anew, or because the hub cannot keep it. */
  refused(number: number, why: Failure): void {
    const entry = this.#entries.get(number);
    entry?.settle.reject(LintelError.from(why));
    this.#leaving.delete(number);
    this.#remove(entry);
    if (entry?.accepted === true) entry.onEnded?.(why);
  }

  /** The hub has ended the session because it did not keep up: subscriptions with overflow "disconnect" have missed something. */
  cutOff(why: Failure): boolean {
    const strict = [...this.#entries.values()].filter(
      (entry) => "subscriber" in entry && entry.accepted && entry.overflow === "disconnect",
    );
    for (const { number } of strict) this.refused(number, why);
    return strict.length > 0;
  }

  /** The hub takes none of them any more. */
  refuseAll(why: Failure): void {
    for (const number of [...this.#entries.keys()]) this.refused(number, why);
  }

  /** Rejects what was not yet accepted. */
  close(error: LintelError): void {
    for (const entry of this.#entries.values()) {
      entry.settle.reject(error);
      if ("left" in entry) entry.left.resolve();
    }
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

  #add<E extends AnyEntry>(entry: E): E {
    this.#entries.set(entry.number, entry);
    return entry;
  }

  #remove(entry: AnyEntry | undefined): void {
    if (entry === undefined || !this.#entries.delete(entry.number)) return;
    entry.settle.reject(LintelError.of("CLOSED", "it was closed before it was accepted"));
    if ("subscriber" in entry) this.#subscribers.remove(entry.pattern, entry.subscriber);
    this.#version++;
    if (entry.accepted) this.#tell("removed", entry);
    if ("left" in entry) entry.left.resolve();
  }

  #tell(event: "added" | "removed", { registered }: Entry): void {
    if (registered !== undefined) tellRegistration(this.#observer, event, registered);
  }

  #entry(pattern: string, { onEnded }: Endable, registered?: Registered): Entry {
    const number = this.#next;
    this.#next = (number + 1) >>> 0 || 1;
    const { promise: ready, ...settle } = defer();
    ready.catch(() => undefined); // code that awaits it handles it; without that it must not end the process
    return { number, pattern, ready, settle, accepted: false, onEnded, registered };
  }
}
