/** Requests that wait until it is known whether their callers may make them, and room for publications that do. */
import { LAST_NUMBER } from "../collections/deadline-table.ts";
import type { Kept, KeptRequests } from "../broker/kept-requests.ts";
import type { Engine } from "../engine/engine.ts";
import type { Route, Sink } from "../message/delivery.ts";
import { OWN_CALLER } from "../message/caller.ts";
import { failure, type Failure } from "../message/failure.ts";
import { IN_PROCESS, type Origin } from "../message/origin.ts";
import { DEFAULT_LIMITS, MAX_TIMEOUT, type Limits } from "../message/limits.ts";
import type { Message } from "../message/message.ts";
import type { Observer } from "../observe/observer.ts";
import { RequestWatch, refuseRequest } from "../observe/request-watch.ts";
import { discardStreams } from "../stream/stream.ts";
import { whenDecided, type Decision, type Question } from "./decisions.ts";

/** Engines give lower numbers to their requests, so that a number says whose request it is. */
const FIRST_HANDLE = LAST_NUMBER + 1;
const LAST_HANDLE = 0xffff_ffff;

const IN_FLIGHT_FULL: Failure = Object.freeze(
  failure("IN_FLIGHT_FULL", "too many requests wait for an access check"),
);

/** Of publications, which have no outcome. */
const NO_SINK: Sink = { answered: () => undefined, failed: () => undefined };

export class WaitingRequests {
  readonly #engine: Engine;
  readonly #kept: KeptRequests;
  readonly #limit: number;
  readonly #watch: RequestWatch | undefined;
  readonly #requests = new Map<number, WaitingRequest>();
  #last = FIRST_HANDLE;

  /** `kept` bounds the bytes of all that waits. */
  constructor(
    engine: Engine,
    kept: KeptRequests,
    {
      limits = DEFAULT_LIMITS,
      observer,
    }: { readonly limits?: Limits; readonly observer?: Observer | undefined },
  ) {
    this.#engine = engine;
    this.#watch = RequestWatch.of(observer, engine.clock);
    this.#kept = kept;
    this.#limit = limits.inFlight;
  }

  /** Ends a request that is not made. Returns 0, the handle of one that has ended. */
  refuse(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number, why: Failure): 0 {
    return refuseRequest(this.#watch, route.subject, request, timeoutMs, sink, tag, why);
  }

  /** Makes the request once it is decided that it may be made. Returns as `Engine.request` does. */
  request(
    route: Route,
    request: Message,
    timeoutMs: number,
    sink: Sink,
    tag: number,
    question: Question,
  ): number {
    const refuse = (why: Failure): 0 => this.refuse(route, request, timeoutMs, sink, tag, why);
    if (!(timeoutMs > 0)) return refuse(failure("DEADLINE"));
    if (this.#requests.size >= this.#limit) return refuse(IN_FLIGHT_FULL);
    const kept = this.#kept.keep(request, sink, tag, true);
    if ("code" in kept) return refuse(kept);
    const handle = this.#nextHandle();
    const { clock } = this.#engine;
    const timeout = Math.min(timeoutMs, MAX_TIMEOUT);
    const times = { timeoutMs: timeout, deadline: clock.now() + timeout };
    const waiting = new WaitingRequest(route, kept, sink, tag, times, () => this.#requests.delete(handle));
    this.#requests.set(handle, waiting);
    waiting.timer = clock.after(timeout, () => this.#end(handle, waiting, failure("DEADLINE")));
    whenDecided(question, (why) => this.#decided(handle, waiting, why));
    return handle;
  }

  /** Keeps a publication that waits. */
  keep(publication: Message, caller: string): Kept | Failure {
    return this.#kept.keep(publication, { ...NO_SINK, callerOf: () => caller }, 0, true);
  }

  release(kept: Kept): void {
    this.#kept.release({ kept });
  }

  /** Withdraws a request; false when it is none that has waited. */
  cancel(handle: number, why: Failure = failure("CALLER_GONE")): boolean {
    const waiting = handle < FIRST_HANDLE ? undefined : this.#requests.get(handle);
    if (waiting === undefined) return handle >= FIRST_HANDLE;
    this.#requests.delete(handle);
    if (waiting.kept === undefined) {
      this.#engine.cancel(waiting.handle, why);
      return true;
    }
    const { route, timeoutMs } = waiting;
    this.#watch?.refused(route.subject, waiting.originOf(), timeoutMs, why);
    discardStreams(this.#letGo(waiting), why);
    return true;
  }

  #decided(handle: number, waiting: WaitingRequest, why: Decision): void {
    if (waiting.kept === undefined || !this.#requests.has(handle)) return; // it has ended meanwhile
    if (why !== undefined) return this.#end(handle, waiting, why);
    const { clock } = this.#engine;
    const request = this.#letGo(waiting);
    const now = clock.now();
    waiting.handle = this.#engine.request(waiting.route, request, waiting.deadline - now, waiting, 0, now);
  }

  #end(handle: number, waiting: WaitingRequest, why: Failure): void {
    this.#requests.delete(handle);
    const { route, timeoutMs, sink, tag } = waiting;
    this.refuse(route, this.#letGo(waiting), timeoutMs, sink, tag, why);
  }

  /** It waits no longer. Its message was kept, and is the engine's now. */
  #letGo(waiting: WaitingRequest): Message {
    this.#engine.clock.clear(waiting.timer);
    const { message } = waiting.kept!;
    this.#kept.release(waiting);
    return message!;
  }

  #nextHandle(): number {
    do this.#last = this.#last === LAST_HANDLE ? FIRST_HANDLE : this.#last + 1;
    while (this.#requests.has(this.#last));
    return this.#last;
  }
}

/** One of them; once made, it stands between the engine and the sink of its outcome. */
class WaitingRequest implements Sink {
  readonly route: Route;
  /** Set while it waits. */
  kept: Kept | undefined;
  readonly sink: Sink;
  readonly tag: number;
  readonly timeoutMs: number;
  readonly deadline: number;
  timer: unknown;
  /** The engine's, once it has been made. */
  handle = 0;
  readonly #onOutcome: () => void;

  constructor(
    route: Route,
    kept: Kept,
    sink: Sink,
    tag: number,
    { timeoutMs, deadline }: { readonly timeoutMs: number; readonly deadline: number },
    onOutcome: () => void,
  ) {
    this.route = route;
    this.kept = kept;
    this.sink = sink;
    this.tag = tag;
    this.timeoutMs = timeoutMs;
    this.deadline = deadline;
    this.#onOutcome = onOutcome;
  }

  answered(_tag: number, answer: Message): void {
    this.#onOutcome();
    this.sink.answered(this.tag, answer);
  }

  failed(_tag: number, why: Failure): void {
    this.#onOutcome();
    this.sink.failed(this.tag, why);
  }

  callerOf(): string {
    return this.sink.callerOf?.(this.tag) ?? OWN_CALLER;
  }

  originOf(): Origin {
    return this.sink.originOf?.(this.tag) ?? IN_PROCESS;
  }
}
