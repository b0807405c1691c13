/** How requests end in a broker: in `settle` when they were taken, in `refuse` when they were not. */
import type { DeadlineTable } from "../collections/deadline-table.ts";
import type { Sink } from "../message/delivery.ts";
import type { Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import { IN_PROCESS } from "../message/origin.ts";
import type { Observer } from "../observe/observer.ts";
import { RequestWatch, refuseRequest } from "../observe/request-watch.ts";
import type { Clock } from "../runtime/clock.ts";
import { discardStreams } from "../stream/stream.ts";
import { clearInFlight, type InFlight } from "./in-flight.ts";
import type { KeptRequests } from "./kept-requests.ts";
import { CLOSED, DEADLINE, DRAINING, IN_FLIGHT_FULL, NO_RESPONDERS, QUEUE_FULL } from "./outcomes.ts";
import { takeFrom, type Member, type QueueGroup } from "./queue-group.ts";
import type { BrokerRoute } from "./routes.ts";
import type { BrokerStats, EndCounter } from "./stats.ts";

/** A way to end, and which sides are told. */
export interface Ending {
  readonly counter: EndCounter;
  /** The worker that has it is told that its answer is no longer wanted. */
  readonly tellsWorker: boolean;
  /** The sink is told. It is not where its caller has withdrawn the request. */
  readonly tellsSink: boolean;
}

export const ANSWERED: Ending = { counter: "answered", tellsWorker: false, tellsSink: true };
export const FAILED: Ending = { counter: "failed", tellsWorker: false, tellsSink: true };
export const EXPIRED: Ending = { counter: "deadline", tellsWorker: true, tellsSink: true };
export const CANCELED: Ending = { counter: "canceled", tellsWorker: true, tellsSink: false };
/** Withdrawn by a caller that has noticed the deadline first. */
export const CANCELED_LATE: Ending = { counter: "deadline", tellsWorker: true, tellsSink: false };
export const LOST: Ending = { counter: "workerLost", tellsWorker: false, tellsSink: true };
export const ABANDONED: Ending = { counter: "noResponders", tellsWorker: false, tellsSink: true };
export const SHUT_DOWN: Ending = { counter: "closed", tellsWorker: true, tellsSink: true };

/** A way not to be taken. */
export interface Refusal {
  readonly counter: EndCounter;
  readonly why: Failure;
}

export const IS_DRAINING: Refusal = { counter: "refusedDraining", why: DRAINING };
export const IS_CLOSED: Refusal = { counter: "closed", why: CLOSED };
export const NOBODY_SERVES: Refusal = { counter: "noResponders", why: NO_RESPONDERS };
export const TOO_LATE: Refusal = { counter: "deadline", why: DEADLINE };
export const QUEUE_IS_FULL: Refusal = { counter: "queueFull", why: QUEUE_FULL };
export const TABLE_IS_FULL: Refusal = { counter: "inFlightFull", why: IN_FLIGHT_FULL };

/** Its bytes cannot be kept: there is no room, or they cannot be made. */
export function cannotBeKept(why: Failure): Refusal {
  return { counter: why.reason === "QUEUE_FULL" ? "queueFull" : "failed", why };
}

export interface SettlementOptions {
  readonly stats: BrokerStats;
  readonly table: DeadlineTable<InFlight>;
  readonly kept: KeptRequests;
  readonly clock: Clock;
  readonly observer: Observer | undefined;
  /** An outcome has been delivered, and requests wait in the group: there may be a place for one. */
  readonly pull: (group: QueueGroup) => void;
}

export class Settlement {
  /** Undefined without an observer of requests. */
  readonly watch: RequestWatch | undefined;
  readonly #stats: BrokerStats;
  readonly #table: DeadlineTable<InFlight>;
  readonly #kept: KeptRequests;
  readonly #pull: (group: QueueGroup) => void;
  readonly #observer: Observer | undefined;
  readonly #onIdle: (() => void)[] = [];

  constructor({ stats, table, kept, clock, observer, pull }: SettlementOptions) {
    this.watch = RequestWatch.of(observer, clock);
    this.#stats = stats;
    this.#table = table;
    this.#kept = kept;
    this.#pull = pull;
    this.#observer = observer;
  }

  /**
   * Ends a request, with its answer or for a reason. Its row is free before anything is called: whatever the callbacks do, a second
   * outcome finds nothing. `now` is the time, where it is known.
   */
  settle(row: InFlight, how: Ending, why: Failure | undefined, answer?: Message, now?: number): void {
    const { watch } = this;
    const { id, tag, member, message } = row;
    const sink = row.sink!;
    const group = row.group!;
    const told = watch?.end(row, row.route!.subject, sink, tag, row.attempt, why, now);
    this.#free(row);
    this.#stats[how.counter]++;
    if (why !== undefined) {
      if (how.tellsWorker) member?.worker.cancel(id, why);
      if (how.tellsSink) sink.failed(tag, why);
      if (message !== undefined) discardStreams(message, why);
    } else if (answer !== undefined) sink.answered(tag, answer);
    if (told !== undefined) watch?.tell(told);
    if (group.waitingCount > 0) this.#pull(group);
    if (this.#onIdle.length > 0) this.#idle();
  }

  /** Ends a request that is not taken. Returns 0, the handle of one that has ended. */
  refuse(
    { counter, why }: Refusal,
    route: BrokerRoute,
    request: Message,
    timeoutMs: number,
    sink: Sink,
    tag: number,
  ): 0 {
    this.#stats[counter]++;
    return refuseRequest(this.watch, route.subject, request, timeoutMs, sink, tag, why);
  }

  /** The row of a job that this member has; else its outcome is late, or none of its business. */
  held(member: Member, job: number): InFlight | undefined {
    const row = this.#table.get(job);
    if (row !== undefined && row.member === member) return row;
    this.#stats.lateReplies++;
    const { gateway, remote, principal } = member.worker.origin ?? IN_PROCESS;
    this.#observer?.lateReply?.({ pattern: member.group.pattern, gateway, remote, principal });
    return undefined;
  }

  /** Takes a request from its worker without an outcome: it goes back to the front of the queue, to be handed out again. */
  takeBack(row: InFlight, member: Member): void {
    takeFrom(member, row);
    this.watch?.takeBack(row);
    member.group.requeue(row.id);
    this.#pull(member.group);
  }

  /** Calls back when the last request has ended and its outcome is delivered. */
  whenIdle(then: () => void): void {
    if (this.#table.size === 0) then();
    else this.#onIdle.push(then);
  }

  #idle(): void {
    if (this.#table.size > 0) return;
    for (const then of this.#onIdle.splice(0)) then();
  }

  #free(row: InFlight): void {
    const { member } = row;
    if (member !== undefined) takeFrom(member, row);
    else row.group!.waitingCount--;
    if (row.kept !== undefined) this.#kept.release(row);
    clearInFlight(row);
    this.#table.release(row);
  }
}
