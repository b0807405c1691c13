import { createStats, type BrokerStats, type EndCounter } from "../broker/stats.ts";
import { OWN_CALLER } from "../message/caller.ts";
import type {
  Endable,
  Registration,
  Route,
  ServeOptions,
  Sink,
  SubscribeOptions,
  Subscriber,
  Subscription,
  Worker,
} from "../message/delivery.ts";
import { failure, type Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import { IN_PROCESS, type Origin } from "../message/origin.ts";
import type { Observer } from "../observe/observer.ts";
import { tellRegistration, type Registered } from "../observe/registration.ts";
import { RequestWatch, type Watched } from "../observe/request-watch.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Engine, EngineSupports } from "./engine.ts";

interface Counted extends Watched {
  readonly subject: string;
  readonly sink: Sink;
  readonly tag: number;
  /** The engine's own number, once it has given one. */
  handle: number;
}

const MAX_HANDLE = 2 ** 31 - 1;

/** How a request that a broker of this process did not end is counted. */
const COUNTERS: ReadonlyMap<string, EndCounter> = new Map([
  ["DEADLINE", "deadline"],
  ["CALLER_GONE", "canceled"],
  ["WORKER_LOST", "workerLost"],
  ["CONNECTION_LOST", "workerLost"],
  ["NO_RESPONDERS", "noResponders"],
  ["NOT_CONNECTED", "noResponders"],
  ["QUEUE_FULL", "queueFull"],
  ["IN_FLIGHT_FULL", "inFlightFull"],
  ["DRAINING", "refusedDraining"],
  ["CLOSED", "closed"],
]);

/**
 * Counts what goes through an engine that does not count itself, and tells an observer of it if there is one. Who executes a
 * request is not known here, so all of its time counts as waiting, and it has no worker.
 */
export class CountingEngine implements Engine, Sink {
  readonly supports: EngineSupports;
  readonly clock: Clock;
  readonly stats: BrokerStats = createStats();
  readonly #engine: Engine;
  readonly #observer: Observer | undefined;
  readonly #watch: RequestWatch | undefined;
  /** Requests without an outcome, bounded by what the engine takes. */
  readonly #requests = new Map<number, Counted>();
  #last = 0;

  constructor(engine: Engine, observer: Observer | undefined) {
    this.supports = engine.supports;
    this.clock = engine.clock;
    this.#engine = engine;
    this.#observer = observer;
    this.#watch = RequestWatch.of(observer, engine.clock);
  }

  /** Requests without an outcome yet. */
  get inFlight(): number {
    return this.#requests.size;
  }

  /** What is registered is not known here. */
  readonly isIdle = false;

  /** What the engine keeps, it keeps elsewhere. */
  get keptBytes(): number {
    return 0;
  }

  route(subject: string): Route {
    return this.#engine.route(subject);
  }

  publish(route: Route, publication: Message): Promise<void> | undefined {
    const pressure = this.#engine.publish(route, publication);
    this.stats.publications++;
    this.#observer?.published?.(route.subject, 0);
    return pressure;
  }

  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number, now?: number): number {
    this.stats.requests++;
    const id = this.#nextHandle();
    const row: Counted = { notes: undefined, subject: route.subject, sink, tag, handle: 0 };
    this.#watch?.begin(row, timeoutMs, now ?? this.clock.now());
    this.#requests.set(id, row);
    row.handle = this.#engine.request(route, request, timeoutMs, this, id, now);
    return this.#requests.has(id) ? id : 0;
  }

  cancel(handle: number, why?: Failure): void {
    const row = this.#requests.get(handle);
    if (row === undefined) return;
    const counter = why?.code === "deadline_exceeded" ? "deadline" : "canceled";
    this.#end(handle, row, counter, why ?? failure("CALLER_GONE"), () =>
      this.#engine.cancel(row.handle, why),
    );
  }

  serve(pattern: string, worker: Worker, options: ServeOptions = {}): Registration {
    const { queue = "" } = options;
    const told = new Announcement(this.#observer, { kind: "service", pattern, queue, origin: worker.origin });
    const registration = this.#engine.serve(pattern, worker, {
      ...options,
      onEnded: told.whenEnded(options),
    });
    told.added();
    return {
      ready: registration.ready,
      reply: (job, answer, now) => registration.reply(job, answer, now) || this.#late(pattern, worker),
      fail: (job, why) => registration.fail(job, why) || this.#late(pattern, worker),
      leave: () => {
        told.removed();
        return registration.leave();
      },
      lose: () => {
        told.removed();
        registration.lose();
      },
      capacity: registration.capacity,
    };
  }

  subscribe(pattern: string, subscriber: Subscriber, options: SubscribeOptions = {}): Subscription {
    const { origin } = subscriber;
    const told = new Announcement(this.#observer, { kind: "subscription", pattern, origin });
    const onEnded = told.whenEnded(options);
    const subscription = this.#engine.subscribe(pattern, subscriber, { ...options, onEnded });
    told.added();
    return {
      ready: subscription.ready,
      close: () => {
        told.removed();
        subscription.close();
      },
    };
  }

  drain(): Promise<void> {
    return this.#engine.drain();
  }

  close(why?: Failure): Promise<void> {
    return this.#engine.close(why);
  }

  // Sink

  answered(id: number, answer: Message): void {
    const row = this.#requests.get(id);
    if (row === undefined) return;
    this.#end(id, row, "answered", undefined, () => row.sink.answered(row.tag, answer));
  }

  failed(id: number, why: Failure): void {
    const row = this.#requests.get(id);
    if (row === undefined) return;
    this.#end(id, row, COUNTERS.get(why.reason) ?? "failed", why, () => row.sink.failed(row.tag, why));
  }

  callerOf(id: number): string {
    const row = this.#requests.get(id);
    return row?.sink.callerOf?.(row.tag) ?? OWN_CALLER;
  }

  originOf(id: number): Origin {
    const row = this.#requests.get(id);
    return row?.sink.originOf?.(row.tag) ?? IN_PROCESS;
  }

  /** Ends a request. It is counted before anything is called, and observers are called last. */
  #end(id: number, row: Counted, counter: EndCounter, why: Failure | undefined, tell: () => void): void {
    const told = this.#watch?.end(row, row.subject, row.sink, row.tag, 0, why);
    this.#requests.delete(id);
    this.stats[counter]++;
    tell();
    if (told !== undefined) this.#watch?.tell(told);
  }

  #late(pattern: string, { origin = IN_PROCESS }: Worker): false {
    const { gateway, remote, principal } = origin;
    this.stats.lateReplies++;
    this.#observer?.lateReply?.({ pattern, gateway, remote, principal });
    return false;
  }

  /** Never one that is in use: handles of requests that have ended may still be canceled. */
  #nextHandle(): number {
    do this.#last = this.#last < MAX_HANDLE ? this.#last + 1 : 1;
    while (this.#requests.has(this.#last));
    return this.#last;
  }
}

/** Tells that a registration is there, and once that it is there no longer. */
class Announcement {
  readonly #observer: Observer | undefined;
  readonly #registered: Registered;
  #isThere = false;

  constructor(observer: Observer | undefined, registered: Registered) {
    this.#observer = observer;
    this.#registered = registered;
  }

  added(): void {
    this.#isThere = true;
    tellRegistration(this.#observer, "added", this.#registered);
  }

  removed(): void {
    if (!this.#isThere) return;
    this.#isThere = false;
    tellRegistration(this.#observer, "removed", this.#registered);
  }

  /** `onEnded` of the owner, with the news that the engine has ended it. */
  whenEnded({ onEnded }: Endable): (why: Failure) => void {
    return (why) => {
      this.removed();
      onEnded?.(why);
    };
  }
}
