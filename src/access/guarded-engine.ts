/** An engine for one principal: whatever is asked of it is checked first, by `Decisions.check` and nothing else. */
import type { Engine, EngineSupports } from "../engine/engine.ts";
import type { Clock } from "../runtime/clock.ts";
import type {
  Registration,
  Route,
  ServeOptions,
  Sink,
  SubscribeOptions,
  Subscriber,
  Subscription,
  Worker,
} from "../message/delivery.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import { findHeader } from "../message/headers.ts";
import type { Message } from "../message/message.ts";
import { checkPattern } from "../message/subject.ts";
import type { DecisionsOf } from "./audited-decisions.ts";
import { isPending, type Decision } from "./decisions.ts";
import { LastAllowed } from "./last-allowed.ts";
import { OrderedPublications } from "./ordered-publications.ts";
import { HeldSubscription, PendingRegistration, PendingSubscription } from "./pending-registration.ts";
import type { WaitingRequests } from "./waiting-requests.ts";

/**
 * Routes, numbers of requests and jobs, and the clock are those of the engine behind it: a route that was made once is good for
 * every principal of a tenant. What has to wait for a decision waits here: a request with its deadline, a publication in its
 * order, a registration with its `ready`.
 */
export class GuardedEngine implements Engine {
  readonly supports: EngineSupports;
  readonly clock: Clock;
  readonly #engine: Engine;
  readonly #decisions: DecisionsOf;
  readonly #waiting: WaitingRequests;
  #publications: OrderedPublications | undefined;
  #lastRequest: LastAllowed | undefined;
  #lastPublication: LastAllowed | undefined;

  constructor(engine: Engine, decisions: DecisionsOf, waiting: WaitingRequests) {
    this.supports = engine.supports;
    this.clock = engine.clock;
    this.#engine = engine;
    this.#decisions = decisions;
    this.#waiting = waiting;
  }

  route(subject: string): Route {
    return this.#engine.route(subject);
  }

  publish(route: Route, publication: Message): Promise<void> | undefined {
    const isOrdered = this.#publications === undefined || this.#publications.isEmpty;
    if (isOrdered && this.#lastPublication?.isAllowed(route, undefined) === true)
      return this.#engine.publish(route, publication);
    const decision = this.#decisions.check("publish", route.subject);
    if (isOrdered && !isPending(decision)) {
      if (decision !== undefined) throw LintelError.from(decision);
      (this.#lastPublication ??= new LastAllowed(this.#decisions, this.clock)).remember(route);
      return this.#engine.publish(route, publication);
    }
    const { id, tenant } = this.#decisions.principal;
    this.#publications ??= new OrderedPublications(this.#engine, this.#waiting, `principal ${tenant} ${id}`);
    const check = (): Decision | Promise<Decision> => this.#decisions.check("publish", route.subject);
    return this.#publications.add(route, publication, { decision, check });
  }

  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number, now?: number): number {
    const verbs = verbsOf(request);
    if (verbs === "request" && this.#lastRequest?.isAllowed(route, now) === true)
      return this.#engine.request(route, request, timeoutMs, sink, tag, now);
    const decision = this.#decide(verbs, route.subject);
    if (decision === undefined) {
      // Gateways that have the time at hand are those that make many requests for a principal.
      if (verbs === "request" && now !== undefined)
        (this.#lastRequest ??= new LastAllowed(this.#decisions, this.clock)).remember(route);
      return this.#engine.request(route, request, timeoutMs, sink, tag, now);
    }
    if (!isPending(decision)) return this.#waiting.refuse(route, request, timeoutMs, sink, tag, decision);
    const check = (): Decision | Promise<Decision> => this.#decide(verbs, route.subject);
    return this.#waiting.request(route, request, timeoutMs, sink, tag, { decision, check });
  }

  cancel(handle: number, why?: Failure): void {
    if (!this.#waiting.cancel(handle, why)) this.#engine.cancel(handle, why);
  }

  subscribe(pattern: string, subscriber: Subscriber, options: SubscribeOptions = {}): Subscription {
    checkPattern(pattern);
    const check = (): Decision | Promise<Decision> => this.#decisions.check("subscribe", pattern);
    const subscribe = (): Subscription => this.#subscribe(pattern, subscriber, options);
    const decision = check();
    return decision === undefined ? subscribe() : new PendingSubscription({ decision, check }, subscribe);
  }

  serve(pattern: string, worker: Worker, options?: ServeOptions): Registration {
    checkPattern(pattern);
    const check = (): Decision | Promise<Decision> => this.#decisions.check("serve", pattern);
    const serve = (): Registration => this.#engine.serve(pattern, worker, options);
    const decision = check();
    if (decision === undefined) return serve();
    return new PendingRegistration({ decision, check }, serve, this.supports);
  }

  /** As `Admitted.watch`. */
  watch(listener: (why: Failure) => void): () => void {
    return this.#decisions.watch(listener);
  }

  /** What was begun here ends with the engine behind it, which is not this one's to end. */
  drain(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Subscribes, as long as it is allowed. */
  #subscribe(pattern: string, subscriber: Subscriber, options: SubscribeOptions): Subscription {
    if (!this.#decisions.enablement.isEnabled("subscribe", pattern))
      return this.#engine.subscribe(pattern, subscriber, options);
    return new HeldSubscription(
      (onLost) => this.#decisions.hold("subscribe", pattern, onLost),
      (onEnded) => this.#engine.subscribe(pattern, subscriber, { ...options, onEnded }),
      options.onEnded,
    );
  }

  #decide(verbs: RequestVerbs, subject: string): Decision | Promise<Decision> {
    return verbs === "both" ? this.#decisions.checkBoth(subject) : this.#decisions.check(verbs, subject);
  }
}

type RequestVerbs = "request" | "open" | "both";

/** A request that opens a channel is checked as that; one that offers a channel besides is checked as both. */
function verbsOf(request: Message): RequestVerbs {
  if (request.streams === undefined) return "request";
  const head = request.headText();
  if (findHeader(head, ":open") === undefined) return "request";
  return findHeader(head, ":offer") === undefined ? "open" : "both";
}
