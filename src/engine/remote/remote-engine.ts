/** Routes messages through a hub, over a session that reconnects forever. */
import { systemClock, type Clock, type Random } from "../../runtime/clock.ts";
import type {
  EnabledVerb,
  Enabler,
  Enabling,
  Endable,
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
import type { Observer } from "../../observe/observer.ts";
import { discardStreams } from "../../stream/stream.ts";
import { OVERFLOWS } from "../../message/overflow.ts";
import { checkPattern, checkSubject } from "../../message/subject.ts";
import { unsentAnswer } from "../../message/unsent.ts";
import type { OutBinding } from "../../session/bindings.ts";
import { checkSize } from "../../session/frame-writer.ts";
import type { SessionOptions } from "../../session/options.ts";
import type { Session } from "../../session/session.ts";
import type { TlsOptions, Transport } from "../../transport/transport.ts";
import { MAX_BINDING } from "../../wire/frame.ts";
import { checkServe, checkSubscribe } from "../check-options.ts";
import type { Engine, EngineSupports } from "../engine.ts";
import { Dispatch } from "./dispatch.ts";
import { Jobs } from "./jobs.ts";
import { ReconnectingSession, type ReconnectingState, type Token } from "./reconnecting-session.ts";
import { Outgoing } from "./outgoing.ts";
import { PublishBackpressure } from "./publish-backpressure.ts";
import { Registrations, type EnablingEntry, type Incoming, type ServiceEntry } from "./registrations.ts";

export interface RemoteEngineOptions extends Pick<SessionOptions<never>, "sideChannels" | "endingStreams"> {
  /** Shown in the hub's logs. */
  readonly name?: string;
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** Certificates and keys, for transports that want them. */
  readonly tls?: TlsOptions;
  readonly random?: Random;
  /**
   * The token shown to the hub. A function is called before each attempt to connect, so that a token may be renewed. A hub
   * that refuses it is not dialed again.
   */
  readonly token?: Token;
  /** Told whenever the link changes; `why` says what went wrong. */
  readonly onState?: (state: ReconnectingState, why: Failure | undefined) => void;
  /** Called with every event here. It must not throw. */
  readonly observer?: Observer | undefined;
  /** Told why the hub has ended the session, unless it shuts down. */
  readonly onError?: (error: unknown, where: string) => void;
}

/** Why a hub ends sessions in the course of things. */
const EXPECTED: ReadonlySet<string> = new Set(["DRAINING", "CLOSED"]);
/** Subjects whose prepared form is kept. Past this they are prepared anew. */
const ROUTES = 65_536;

export class RemoteEngine implements Engine, Enabler {
  readonly supports: EngineSupports = {
    durable: false,
    inProcess: false,
    attempts: false,
    capacity: false,
    overflow: OVERFLOWS,
    streams: true,
  };
  readonly #link: ReconnectingSession;
  readonly clock: Clock;
  readonly #limits: Limits;
  readonly #outgoing: Outgoing;
  readonly #jobs: Jobs;
  readonly #registered: Registrations;
  readonly #observer: Observer | undefined;
  #routes = new Map<string, OutBinding>();
  readonly #onSessionEnded: (why: Failure) => void;
  #state: "open" | "draining" | "closed" = "open";
  /** Why there is no session, while there is none: the hub cannot be reached, or it refuses these credentials. */
  #absent: Failure = failure("NOT_CONNECTED");
  readonly #publishing: PublishBackpressure;
  #onIdle: (() => void)[] = [];
  #onOpen: { resolve(): void; reject(error: Error): void }[] = [];

  constructor(transport: Transport, url: string, options: RemoteEngineOptions = {}) {
    this.clock = options.clock ?? systemClock;
    // P-25: a hub needs room for whatever is published through it.
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits, bindings: MAX_BINDING };
    this.#publishing = new PublishBackpressure(this.#limits.sessionBuffer);
    const { observer } = options;
    this.#observer = observer;
    this.#registered = new Registrations(observer);
    this.#outgoing = new Outgoing({
      observer,
      origin: { gateway: "hub", remote: url, principal: undefined },
      clock: this.clock,
      limits: this.#limits,
      session: () => this.#link.session,
      onReleased: () => {
        if (this.#onIdle.length > 0) this.#idle();
      },
    });
    this.#jobs = new Jobs(this.clock, this.#limits.inFlight, observer);
    const dispatch = new Dispatch({
      observer,
      outgoing: this.#outgoing,
      jobs: this.#jobs,
      registered: this.#registered,
      clock: this.clock,
      session: () => this.#link.session,
      onEnded: () => this.#idle(),
    });
    this.#onSessionEnded = (why) => options.onError?.(LintelError.from(why), `the session with ${url}`);
    this.#link = new ReconnectingSession({
      transport,
      url,
      tls: options.tls,
      name: options.name ?? "peer",
      limits: this.#limits,
      clock: this.clock,
      random: options.random ?? Math.random,
      sideChannels: options.sideChannels,
      endingStreams: options.endingStreams,
      calls: dispatch,
      registrations: dispatch,
      onOpened: (session) => this.#opened(session),
      onLost: (why, byHub) => this.#lost(why, byHub),
      onDrained: () => this.#drained(),
      onRoom: () => this.#sendWaiting(),
      onGoaway: () => undefined, // the hub refuses what is new by itself, and the link dials again when it closes
      token: options.token,
      onGivenUp: (error) => this.#givenUp(error),
      onState: (state, why) => options.onState?.(state, why),
    });
    this.#link.start();
  }

  get state(): ReconnectingState {
    return this.#link.state;
  }

  /** Why the last attempt to connect failed. */
  get lastFailure(): Failure | undefined {
    return this.#link.lastFailure;
  }

  /**
   * Resolves when the link is open for the first time, or the next time if it is down, and when the engine is closed.
   * Rejects with a TypeError when the URL is not of its transport's form, and with the hub's failure if it refuses
   * with these credentials.
   */
  connected(): Promise<void> {
    if (this.#link.session !== undefined) return Promise.resolve();
    if (this.#absent !== failure("NOT_CONNECTED")) return Promise.reject(LintelError.from(this.#absent));
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
    if (session === undefined)
      throw LintelError.from(this.#state === "closed" ? failure("CLOSED") : this.#absent);
    this.#publishing.check(session.outbox);
    session.publish(route as OutBinding, publication);
    this.#observer?.published?.(route.subject, 1);
    return this.#publishing.wait(session.outbox);
  }

  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number, now?: number): number {
    const { session } = this.#link;
    const target = route as OutBinding;
    if (session === undefined || this.#state !== "open" || !(timeoutMs > 0))
      return this.#outgoing.refuse(target, request, timeoutMs, sink, tag, this.#objection());
    let timeout = timeoutMs < MAX_TIMEOUT ? timeoutMs : MAX_TIMEOUT;
    if (now !== undefined) timeout = Math.max(0, timeout - (this.clock.now() - now));
    return this.#outgoing.request(session, target, request, timeout, sink, tag);
  }

  /** Why a request is not taken. */
  #objection(): Failure {
    if (this.#state === "closed") return failure("CLOSED");
    if (this.#link.session === undefined) return this.#absent;
    return this.#state === "draining" ? failure("DRAINING") : failure("DEADLINE");
  }

  cancel(handle: number, why: Failure = failure("CALLER_GONE")): void {
    this.#outgoing.cancel(handle, why);
  }

  subscribe(pattern: string, subscriber: Subscriber, options: SubscribeOptions = {}): Subscription {
    this.#checkOpen();
    const overflow = checkSubscribe(this.supports, pattern, options);
    const entry = this.#registered.addSubscription(pattern, subscriber, overflow, options);
    this.#announce(entry);
    return { ready: entry.ready, close: () => this.#unregister(entry.number) };
  }

  serve(pattern: string, worker: Worker, options: ServeOptions = {}): Registration {
    this.#checkOpen();
    const service = this.#registered.addService(checkServe(this.supports, pattern, options), worker, options);
    this.#announce(service);
    return {
      ready: service.ready,
      reply: (job, answer) => this.#reply(service, job, answer),
      fail: (job, why) => this.#fail(service, job, why),
      leave: () => this.#leave(service),
      lose: () => this.#lose(service),
    };
  }

  enable(verb: EnabledVerb, pattern: string, options: Endable = {}): Enabling {
    this.#checkOpen();
    const entry = this.#registered.addEnabling(verb, checkPattern(pattern), options);
    this.#announce(entry);
    return { ready: entry.ready, close: () => this.#leave(entry) };
  }

  drain(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "draining";
      for (const { number } of this.#registered.services) this.#unregister(number);
    }
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#idle();
    });
  }

  async close(why: Failure = failure("CLOSED")): Promise<void> {
    if (this.#state === "closed") return this.#link.close();
    this.#state = "closed";
    const { session } = this.#link;
    if (session !== undefined) while (this.#sendOutcome(session)); // what was answered is sent, full or not
    if (why !== failure("CLOSED")) this.#jobs.failAll(why, session);
    await this.#link.close();
    this.#failAll(why);
    this.#drained();
    this.#registered.close(LintelError.from(failure("CLOSED")));
    this.#outgoing.table.stop();
    this.#jobs.stop();
    for (const waiter of this.#onOpen.splice(0)) waiter.resolve();
  }

  #reply(service: ServiceEntry, job: number, answer: Message): boolean {
    const { session } = this.#link;
    if (session?.pressure.isFull === true) return this.#keepAnswer(session, service, job, answer);
    const wireId = this.#jobs.end(job, service);
    if (wireId === 0 || session === undefined) return false;
    sendAnswer(session, service.number, wireId, answer);
    this.#idle();
    return true;
  }

  #fail(service: ServiceEntry, job: number, why: Failure): boolean {
    const { session } = this.#link;
    if (session?.pressure.isFull === true) return this.#jobs.keep(job, { service, message: undefined, why });
    const wireId = this.#jobs.end(job, service);
    if (wireId === 0 || session === undefined) return false;
    session.error(service.number, wireId, why);
    this.#idle();
    return true;
  }

  /** An answer for a session that is full. What is wrong with it is found now, while its handler can be told. */
  #keepAnswer(session: Session<Incoming>, service: ServiceEntry, job: number, answer: Message): boolean {
    try {
      const message = answer.retain();
      checkSize(message, session);
      return this.#jobs.keep(job, { service, message, why: undefined });
    } catch (error) {
      const why = unsentAnswer(answer, error);
      discardStreams(answer, why);
      return this.#fail(service, job, why);
    }
  }

  /** The session has room again: outcomes first, for they set others free. */
  #sendWaiting(): void {
    const { session } = this.#link;
    if (session === undefined) return;
    while (!session.pressure.isFull && this.#sendOutcome(session));
    while (!session.pressure.isFull && this.#outgoing.sendNext(session));
    this.#idle();
  }

  /** False when none waits. */
  #sendOutcome(session: Session<Incoming>): boolean {
    const outcome = this.#jobs.nextOutcome();
    if (outcome === undefined) return false;
    const { service, wireId, message } = outcome;
    if (message === undefined) session.error(service.number, wireId, outcome.why);
    else sendAnswer(session, service.number, wireId, message);
    return true;
  }

  /** LEAVE goes first: the hub must not fill the places that become free. */
  #lose(service: ServiceEntry): void {
    service.lost = true;
    this.#unregister(service.number);
    const { session } = this.#link;
    for (const wireId of this.#jobs.endService(service))
      session?.error(service.number, wireId, failure("WORKER_LOST"));
    this.#idle();
  }

  #announce(entry: Parameters<Registrations["announce"]>[1]): void {
    const { session } = this.#link;
    if (session !== undefined) this.#registered.announce(session, entry);
  }

  #leave({ number, left }: ServiceEntry | EnablingEntry): Promise<void> {
    this.#unregister(number);
    return left.promise;
  }

  #unregister(number: number): void {
    if (!this.#registered.leave(number)) return;
    const { session } = this.#link;
    if (session === undefined) this.#registered.lost();
    else session.leave(number);
  }

  #checkOpen(): void {
    if (this.#state === "closed") throw LintelError.from(failure("CLOSED"));
    if (this.#state === "draining") throw LintelError.from(failure("DRAINING"));
    if (this.#absent !== failure("NOT_CONNECTED")) throw LintelError.from(this.#absent);
  }

  #opened(session: Session<Incoming>): void {
    this.#registered.announceAll(session);
    for (const waiter of this.#onOpen.splice(0)) waiter.resolve();
  }

  #lost(why: Failure, byHub: boolean): void {
    this.#failAll({ ...failure("CONNECTION_LOST"), message: why.message }); // P-19: whatever the other end said
    const isSlow = why.reason === "SLOW_CONSUMER";
    const isTold = byHub && isSlow && this.#registered.cutOff(why); // P-61
    if (!isTold && (isSlow || (byHub && !EXPECTED.has(why.reason)))) this.#onSessionEnded(why); // P-68
    this.#drained();
  }

  /** Nothing is dialed any more. What the hub refused is told to all that hoped for it (P-143). */
  #givenUp(error: TypeError | LintelError): void {
    const waiters = this.#onOpen.splice(0);
    for (const waiter of waiters) waiter.reject(error);
    if (error instanceof TypeError) return;
    this.#absent = error.toFailure();
    if (waiters.length === 0) this.#onSessionEnded(this.#absent); // else `connect` rejects
    this.#registered.refuseAll(this.#absent);
    this.#idle();
  }

  #drained(): void {
    this.#publishing.release();
  }

  /** The session is gone: requests have lost their answers, and jobs the way back for theirs. */
  #failAll(why: Failure): void {
    const sent = { ...why, retryable: false }; // E-29: it may have been executed
    this.#outgoing.failAll(sent, this.#state === "closed" ? why : failure("NOT_CONNECTED")); // P-102
    this.#jobs.cancelAll(why);
    this.#registered.lost();
    this.#idle();
  }

  #idle(): void {
    if (this.#onIdle.length === 0 || this.#registered.isLeaving) return;
    if (this.#outgoing.table.size > 0 || this.#jobs.size > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

function sendAnswer(session: Session<Incoming>, registration: number, id: number, answer: Message): void {
  try {
    session.reply(registration, id, answer);
  } catch (error) {
    session.error(registration, id, unsentAnswer(answer, error));
  }
}
