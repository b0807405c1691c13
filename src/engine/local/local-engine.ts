import { Broker } from "../../broker/broker.ts";
import { KeptRequests } from "../../broker/kept-requests.ts";
import type { BrokerStats } from "../../broker/stats.ts";
import { systemClock, type Clock } from "../../runtime/clock.ts";
import type {
  Registration,
  Route,
  ServeOptions,
  Sink,
  SubscribeOptions,
  Subscriber,
  Subscription,
  Worker,
} from "../../message/delivery.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import { DEFAULT_LIMITS, type Limits } from "../../message/limits.ts";
import type { Message } from "../../message/message.ts";
import type { Observer } from "../../observe/observer.ts";
import { OVERFLOWS } from "../../message/overflow.ts";
import { checkServe, checkSubscribe } from "../check-options.ts";
import type { Engine, EngineSupports } from "../engine.ts";

export interface LocalEngineOptions {
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** Called with every event. It must not throw. */
  readonly observer?: Observer | undefined;
  /** An engine whose bound on bytes of requests this one shares. Default: it has a bound of its own. */
  readonly sharesWith?: LocalEngine | undefined;
}

/** Routes messages inside this process, on the embedded broker. */
export class LocalEngine implements Engine {
  /** Publications are handed over at once, so nothing is ever dropped and every policy of overflow is kept. */
  readonly supports: EngineSupports = {
    durable: false,
    inProcess: true,
    attempts: true,
    capacity: true,
    overflow: OVERFLOWS,
    streams: true,
  };
  readonly clock: Clock;
  readonly #broker: Broker;
  readonly #kept: KeptRequests;
  #closed = false;

  constructor(options: LocalEngineOptions = {}) {
    this.clock = options.clock ?? systemClock;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { sharesWith } = options;
    this.#kept = sharesWith === undefined ? new KeptRequests(limits) : sharesWith.#kept;
    this.#broker = new Broker({
      clock: this.clock,
      limits,
      kept: this.#kept,
      observer: options.observer,
    });
  }

  /** Counters since the start, to be read, not written. */
  get stats(): Readonly<BrokerStats> {
    return this.#broker.stats;
  }

  /** Requests without an outcome yet. */
  get inFlight(): number {
    return this.#broker.inFlight;
  }

  /** True while nothing is registered and no request is in flight. */
  get isIdle(): boolean {
    return this.#broker.registrations === 0 && this.#broker.inFlight === 0;
  }

  /** Bytes of requests that are kept: those that wait, and those that may be handed out again or are kept by workers. */
  get keptBytes(): number {
    return this.#broker.keptBytes;
  }

  route(subject: string): Route {
    return this.#broker.route(subject);
  }

  publish(route: Route, publication: Message): undefined {
    if (this.#closed) throw LintelError.of("CLOSED");
    this.#broker.publish(route, publication);
  }

  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number, now?: number): number {
    return this.#broker.request(route, request, timeoutMs, sink, tag, now);
  }

  cancel(handle: number, why?: Failure): void {
    this.#broker.cancel(handle, why);
  }

  subscribe(pattern: string, subscriber: Subscriber, options: SubscribeOptions = {}): Subscription {
    if (this.#closed) throw LintelError.of("CLOSED");
    checkSubscribe(this.supports, pattern, options);
    return this.#broker.subscribe(pattern, subscriber);
  }

  serve(pattern: string, worker: Worker, options: ServeOptions = {}): Registration {
    if (this.#closed) throw LintelError.of("CLOSED");
    checkServe(this.supports, pattern, options);
    return this.#broker.serve(pattern, worker, options);
  }

  drain(): Promise<void> {
    return new Promise((resolve) => this.#broker.drain(resolve));
  }

  close(why?: Failure): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => this.#broker.close(resolve, why));
  }
}
