/** Routes messages through a hub, over a session that is dialed again for ever. */
import { PendingTable } from "../../broker/pending-table.ts";
import { systemClock, type Clock, type Random } from "../../message/clock.ts";
import { defer, type Deferred } from "../../message/deferred.ts";
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
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { DEFAULT_LIMITS, MAX_TIMEOUT, type Limits } from "../../message/limits.ts";
import type { Message } from "../../message/message.ts";
import { discardStreams } from "../../message/stream.ts";
import { checkPattern, checkSubject } from "../../message/subject.ts";
import { unsentAnswer } from "../../message/unsent.ts";
import type { OutBinding } from "../../session/bindings.ts";
import type { SessionOptions } from "../../session/options.ts";
import type { Session } from "../../session/session.ts";
import type { TlsOptions, Transport } from "../../transport/transport.ts";
import { MAX_BINDING } from "../../wire/frame.ts";
import type { Engine, EngineSupports } from "../engine.ts";
import { Dispatch, type Waiting } from "./dispatch.ts";
import { Jobs } from "./jobs.ts";
import { Link, type LinkState } from "./link.ts";
import { Registrations, type Incoming, type ServiceEntry } from "./registrations.ts";

export interface RemoteEngineOptions extends Pick<SessionOptions<never>, "beside" | "endingStreams"> {
  /** Shown in the hub's logs. */
  readonly name?: string;
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** Certificates and keys, for transports that want them. */
  readonly tls?: TlsOptions;
  readonly random?: Random;
  /** Told whenever the link changes; `why` says what went wrong. */
  readonly onState?: (state: LinkState, why: Failure | undefined) => void;
}

const NOT_CONNECTED = Object.freeze(failure("NOT_CONNECTED"));
const IN_FLIGHT_FULL = Object.freeze(failure("IN_FLIGHT_FULL"));
const DEADLINE = Object.freeze(failure("DEADLINE"));
const WORKER_LOST = Object.freeze(failure("WORKER_LOST"));
const CALLER_GONE = Object.freeze(failure("CALLER_GONE"));
const DRAINING = Object.freeze(failure("DRAINING"));
const CLOSED = Object.freeze(failure("CLOSED"));
/** Subjects whose prepared form is kept. Past this they are prepared anew. */
const ROUTES = 65_536;

export class RemoteEngine implements Engine {
  readonly supports: EngineSupports = { durable: false, inProcess: false };
  readonly #link: Link;
  readonly clock: Clock;
  readonly #limits: Limits;
  readonly #waiting: PendingTable<Waiting>;
  readonly #jobs: Jobs;
  readonly #registered = new Registrations();
  #routes = new Map<string, OutBinding>();
  #state: "open" | "draining" | "closed" = "open";
  #writable: Deferred | undefined;
  #onIdle: (() => void)[] = [];
  #onOpen: { resolve(): void; reject(error: Error): void }[] = [];

  constructor(transport: Transport, url: string, options: RemoteEngineOptions = {}) {
    this.clock = options.clock ?? systemClock;
    // P-25: a hub needs room for whatever is published through it.
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits, bindings: MAX_BINDING };
    this.#waiting = new PendingTable<Waiting>(
      this.clock,
      this.#limits.inFlight,
      () => ({ id: 0, deadline: 0, sink: undefined, tag: 0 }),
      (row) => this.#expired(row),
    );
    this.#jobs = new Jobs(this.clock, this.#limits.inFlight);
    const dispatch = new Dispatch({
      waiting: this.#waiting,
      jobs: this.#jobs,
      registered: this.#registered,
      clock: this.clock,
      session: () => this.#link.session,
      onEnded: () => this.#idle(),
    });
    this.#link = new Link({
      transport,
      url,
      tls: options.tls,
      name: options.name ?? "peer",
      limits: this.#limits,
      clock: this.clock,
      random: options.random ?? Math.random,
      beside: options.beside,
      endingStreams: options.endingStreams,
      calls: dispatch,
      registrations: dispatch,
      onOpened: (session) => this.#opened(session),
      onLost: (why, byHub) => this.#lost(why, byHub),
      onDrained: () => this.#drained(),
      onGoaway: () => undefined, // the hub refuses what is new by itself, and the link dials again when it closes
      onGivenUp: (error) => {
        for (const waiter of this.#onOpen.splice(0)) waiter.reject(error);
      },
      onState: (state, why) => options.onState?.(state, why),
    });
    this.#link.start();
  }

  get state(): LinkState {
    return this.#link.state;
  }

  /** Why the last attempt to connect failed. */
  get lastFailure(): Failure | undefined {
    return this.#link.lastFailure;
  }

  /**
   * Resolves when the link is open for the first time, or the next time if it is down, and when the engine is closed.
   * Rejects with a TypeError when the URL is not of its transport's form.
   */
  connected(): Promise<void> {
    if (this.#link.session !== undefined) return Promise.resolve();
    return new Promise((resolve, reject) => this.#onOpen.push({ resolve, reject }));
  }

  // Engine

  route(subject: string): Route {
    let route = this.#routes.get(subject);
    if (route === undefined) {
      checkSubject(subject);
      if (this.#routes.size >= ROUTES) this.#routes = new Map();
      route = { subject, registration: 0, number: 0 };
      this.#routes.set(subject, route);
    }
    return route;
  }

  publish(route: Route, publication: Message): Promise<void> | undefined {
    const { session } = this.#link;
    if (session === undefined) throw LintelError.from(this.#state === "closed" ? CLOSED : NOT_CONNECTED);
    const { outbox } = session;
    // Before the message is taken: a caller that ignores the error as well must not fill our memory.
    if (outbox.queued > 4 * this.#limits.sessionBuffer) {
      throw LintelError.of(
        "SLOW_CONSUMER",
        "the hub does not keep up, and publish() is called without waiting for it",
      );
    }
    session.publish(route as OutBinding, publication);
    if (outbox.queued <= this.#limits.sessionBuffer / 8) return undefined;
    this.#writable ??= defer();
    return this.#writable.promise;
  }

  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number): number {
    const { session } = this.#link;
    if (session === undefined)
      return refuse(request, sink, tag, this.#state === "closed" ? CLOSED : NOT_CONNECTED);
    if (this.#state !== "open") return refuse(request, sink, tag, DRAINING);
    if (!(timeoutMs > 0)) return refuse(request, sink, tag, DEADLINE);
    const timeout = timeoutMs < MAX_TIMEOUT ? timeoutMs : MAX_TIMEOUT;
    const row = this.#waiting.add(this.clock.now() + timeout);
    if (row === undefined) return refuse(request, sink, tag, IN_FLIGHT_FULL);
    row.sink = sink;
    row.tag = tag;
    const { id } = row;
    try {
      session.request(route as OutBinding, id, request, timeout);
    } catch (error) {
      this.#release(row);
      return refuse(request, sink, tag, toFailure(error));
    }
    return row.id === id ? id : 0; // sending may have found the hub too slow and ended the session
  }

  cancel(handle: number, why: Failure = CALLER_GONE): void {
    const row = this.#waiting.get(handle);
    if (row === undefined) return;
    this.#release(row);
    this.#link.session?.cancel(0, handle, why);
  }

  subscribe(pattern: string, subscriber: Subscriber, options: SubscribeOptions = {}): Subscription {
    this.#checkOpen();
    const entry = this.#registered.addSubscription(checkPattern(pattern), subscriber, options);
    this.#announce(entry);
    return { ready: entry.ready, close: () => this.#unregister(entry.number) };
  }

  serve(pattern: string, worker: Worker, options: ServeOptions = {}): Registration {
    this.#checkOpen();
    const service = this.#registered.addService(checkPattern(pattern), worker, options);
    this.#announce(service);
    return {
      ready: service.ready,
      reply: (job, answer) => this.#reply(service, job, answer),
      fail: (job, why) => this.#fail(service, job, why),
      leave: () => {
        this.#unregister(service.number);
        return service.left.promise;
      },
      lose: () => this.#lose(service),
    };
  }

  drain(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "draining";
      for (const number of [...this.#registered.services.keys()]) this.#unregister(number);
    }
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#idle();
    });
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return this.#link.close();
    this.#state = "closed";
    await this.#link.close();
    this.#failAll(CLOSED);
    this.#drained();
    this.#registered.close(LintelError.from(CLOSED));
    this.#waiting.stop();
    this.#jobs.stop();
    for (const waiter of this.#onOpen.splice(0)) waiter.resolve();
  }

  #reply(service: ServiceEntry, job: number, answer: Message): boolean {
    const wireId = this.#jobs.end(job, service);
    const { session } = this.#link;
    if (wireId === 0 || session === undefined) return false;
    try {
      session.reply(service.number, wireId, answer);
    } catch (error) {
      session.error(service.number, wireId, unsentAnswer(answer, error));
    }
    this.#idle();
    return true;
  }

  #fail(service: ServiceEntry, job: number, why: Failure): boolean {
    const wireId = this.#jobs.end(job, service);
    const { session } = this.#link;
    if (wireId === 0 || session === undefined) return false;
    session.error(service.number, wireId, why);
    this.#idle();
    return true;
  }

  /** LEAVE goes first: the hub must not fill the places that become free. */
  #lose(service: ServiceEntry): void {
    service.lost = true;
    this.#unregister(service.number);
    const { session } = this.#link;
    for (const wireId of this.#jobs.endService(service)) session?.error(service.number, wireId, WORKER_LOST);
    this.#idle();
  }

  #announce(entry: Parameters<Registrations["announce"]>[1]): void {
    const { session } = this.#link;
    if (session !== undefined) this.#registered.announce(session, entry);
  }

  #unregister(number: number): void {
    if (!this.#registered.leave(number)) return;
    const { session } = this.#link;
    if (session === undefined) this.#registered.lost();
    else session.leave(number);
  }

  #checkOpen(): void {
    if (this.#state === "closed") throw LintelError.from(CLOSED);
    if (this.#state === "draining") throw LintelError.from(DRAINING);
  }

  #opened(session: Session<Incoming>): void {
    this.#registered.announceAll(session);
    for (const waiter of this.#onOpen.splice(0)) waiter.resolve();
  }

  #lost(why: Failure, byHub: boolean): void {
    this.#failAll({ ...failure("CONNECTION_LOST"), message: why.message }); // P-19: whatever the other end said
    if (byHub && why.reason === "SLOW_CONSUMER") this.#registered.cutOff(why); // P-61
    this.#drained();
  }

  #drained(): void {
    this.#writable?.resolve();
    this.#writable = undefined;
  }

  /** The session is gone: requests have lost their answers, and jobs the way back for theirs. */
  #failAll(why: Failure): void {
    for (const row of this.#waiting.live()) {
      const { sink, tag } = row;
      this.#release(row);
      sink?.failed(tag, why);
    }
    this.#jobs.cancelAll(why);
    this.#registered.lost();
    this.#idle();
  }

  #expired(row: Waiting): void {
    const { id, sink, tag } = row;
    this.#release(row);
    this.#link.session?.cancel(0, id, DEADLINE);
    sink?.failed(tag, DEADLINE);
  }

  #release(row: Waiting): void {
    row.sink = undefined;
    this.#waiting.release(row);
    if (this.#onIdle.length > 0) this.#idle();
  }

  #idle(): void {
    if (this.#onIdle.length === 0 || this.#registered.isLeaving) return;
    if (this.#waiting.size > 0 || this.#jobs.size > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

function refuse(request: Message, sink: Sink, tag: number, why: Failure): 0 {
  sink.failed(tag, why);
  discardStreams(request, why);
  return 0;
}

function toFailure(error: unknown): Failure {
  return error instanceof LintelError ? error.toFailure() : failure("HANDLER_FAILED");
}
