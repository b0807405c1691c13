/** An engine for one principal that has limits. Everything that it has room for goes on to the engine behind it. */
import type { Engine, EngineSupports } from "../../engine/engine.ts";
import { OWN_CALLER } from "../../message/caller.ts";
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
import type { Message } from "../../message/message.ts";
import { IN_PROCESS, type Origin } from "../../message/origin.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Verb } from "../access.ts";
import type { AuditedDecisions } from "../audited-decisions.ts";
import type { GuardedEngine } from "../guarded-engine.ts";
import type { WaitingRequests } from "../waiting-requests.ts";
import type { Quota } from "./quota.ts";

interface InFlight {
  readonly sink: Sink;
  readonly tag: number;
  /** The number that the engine behind has given. */
  handle: number;
}

const MAX_HANDLE = 2 ** 31 - 1;

/**
 * It stands in front of the one that checks, so that a request over the limit costs the check of a number and no decision.
 * What is refused is not made. What services answer is not limited.
 */
export class LimitedEngine implements Engine, Sink {
  readonly supports: EngineSupports;
  readonly clock: Clock;
  readonly #engine: GuardedEngine;
  readonly #quota: Quota;
  /** Tells observers what is refused. */
  readonly #waiting: WaitingRequests;
  readonly #audited: Pick<AuditedDecisions, "refused"> | undefined;
  /** Requests without an outcome; at most as many as the engine behind it takes. */
  readonly #inFlight = new Map<number, InFlight>();
  #last = 0;

  /** `audited` tells of what the quota does not allow. */
  constructor(
    engine: GuardedEngine,
    quota: Quota,
    waiting: WaitingRequests,
    audited?: Pick<AuditedDecisions, "refused">,
  ) {
    this.supports = engine.supports;
    this.clock = engine.clock;
    this.#engine = engine;
    this.#quota = quota;
    this.#waiting = waiting;
    this.#audited = audited;
  }

  route(subject: string): Route {
    return this.#engine.route(subject);
  }

  publish(route: Route, publication: Message): Promise<void> | undefined {
    const why = this.#quota.takePublication(sizeOf(publication));
    if (why !== undefined) throw this.#refusal("publish", route.subject, why);
    return this.#engine.publish(route, publication);
  }

  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number, now?: number): number {
    const why = this.#quota.takeRequest(sizeOf(request));
    if (why !== undefined) {
      this.#audited?.refused("request", route.subject, why);
      return this.#waiting.refuse(route, request, timeoutMs, sink, tag, why);
    }
    const number = this.#nextHandle();
    const row: InFlight = { sink, tag, handle: 0 };
    this.#inFlight.set(number, row);
    try {
      row.handle = this.#engine.request(route, request, timeoutMs, this, number, now);
    } catch (error) {
      this.#take(number);
      throw error;
    }
    return this.#inFlight.has(number) ? number : 0;
  }

  cancel(handle: number, why?: Failure): void {
    const row = this.#inFlight.get(handle);
    if (row === undefined) return;
    this.#engine.cancel(row.handle, why); // before it is forgotten: it may be asked for its origin
    this.#take(handle);
  }

  subscribe(pattern: string, subscriber: Subscriber, options: SubscribeOptions = {}): Subscription {
    const why = this.#quota.takeSubscription();
    if (why !== undefined) throw this.#refusal("subscribe", pattern, why);
    let isOver = false;
    const over = (): void => {
      if (!isOver) this.#quota.giveSubscription();
      isOver = true;
    };
    const onEnded = (reason: Failure): void => {
      over();
      options.onEnded?.(reason);
    };
    try {
      const subscription = this.#engine.subscribe(pattern, subscriber, { ...options, onEnded });
      subscription.ready.catch(over);
      const close = (): void => {
        over();
        subscription.close();
      };
      return { ready: subscription.ready, close };
    } catch (error) {
      over();
      throw error;
    }
  }

  serve(pattern: string, worker: Worker, options?: ServeOptions): Registration {
    return this.#engine.serve(pattern, worker, options);
  }

  /** As `Admitted.watch`. */
  watch(listener: (why: Failure) => void): () => void {
    return this.#engine.watch(listener);
  }

  drain(): Promise<void> {
    return this.#engine.drain();
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  // Sink

  answered(number: number, answer: Message): void {
    const row = this.#take(number);
    row?.sink.answered(row.tag, answer);
  }

  failed(number: number, why: Failure): void {
    const row = this.#take(number);
    row?.sink.failed(row.tag, why);
  }

  callerOf(number: number): string {
    const row = this.#inFlight.get(number);
    return row?.sink.callerOf?.(row.tag) ?? OWN_CALLER;
  }

  originOf(number: number): Origin {
    const row = this.#inFlight.get(number);
    return row?.sink.originOf?.(row.tag) ?? IN_PROCESS;
  }

  #refusal(verb: Verb, subject: string, why: Failure): LintelError {
    this.#audited?.refused(verb, subject, why);
    return LintelError.from(why);
  }

  #take(number: number): InFlight | undefined {
    const row = this.#inFlight.get(number);
    if (row === undefined) return undefined;
    this.#inFlight.delete(number);
    this.#quota.giveRequest();
    return row;
  }

  /** Never one that is in use: handles of requests that have ended may still be canceled. */
  #nextHandle(): number {
    do this.#last = this.#last < MAX_HANDLE ? this.#last + 1 : 1;
    while (this.#inFlight.has(this.#last));
    return this.#last;
  }
}

/** Bytes of headers and payload. A value that was not encoded counts for its headers. */
function sizeOf(message: Message): number {
  const { head, headStart, payloadStart, end, encoder } = message;
  if (head === undefined) return end - headStart;
  return head.length + (encoder === undefined ? end - payloadStart : 0);
}
