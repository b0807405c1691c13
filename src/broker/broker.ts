/** The broker decides who gets which message, and gives every request one outcome. It knows no sockets; the clock is injected. */
import type { Clock } from "../runtime/clock.ts";
import type {
  Registration,
  Route,
  ServeOptions,
  Sink,
  Subscriber,
  Subscription,
  Worker,
} from "../message/delivery.ts";
import type { Failure } from "../message/failure.ts";
import { MAX_TIMEOUT, type Limits } from "../message/limits.ts";
import type { Message } from "../message/message.ts";
import { IN_PROCESS } from "../message/origin.ts";
import { checkPattern } from "../message/subject.ts";
import { SlicedWork } from "../runtime/sliced-work.ts";
import type { Observer } from "../observe/observer.ts";
import { tellRegistration, type Registered } from "../observe/registration.ts";
import { KeptRequests, type KeepingLimits } from "./kept-requests.ts";
import { createInFlight, fillInFlight, type InFlight } from "./in-flight.ts";
import { CALLER_GONE, CLOSED, DEADLINE, NO_RESPONDERS } from "./outcomes.ts";
import { DeadlineTable } from "../collections/deadline-table.ts";
import { LostWorkers } from "./lost-worker.ts";
import { giveTo, pickGroup, type Member, type QueueGroup } from "./queue-group.ts";
import { RoutingTable, type BrokerRoute } from "./routes.ts";
import {
  ABANDONED,
  ANSWERED,
  CANCELED,
  CANCELED_LATE,
  EXPIRED,
  FAILED,
  IS_CLOSED,
  IS_DRAINING,
  NOBODY_SERVES,
  QUEUE_IS_FULL,
  SHUT_DOWN,
  Settlement,
  TABLE_IS_FULL,
  TOO_LATE,
  cannotBeKept,
  type Refusal,
} from "./settlement.ts";
import { createStats, type BrokerStats } from "./stats.ts";

export interface BrokerOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "inFlight" | "queue" | "concurrency"> & KeepingLimits;
  readonly observer?: Observer | undefined;
  /** Bytes that this broker keeps together with others. Default: bytes of its own. */
  readonly kept?: KeptRequests | undefined;
}

const READY = Promise.resolve();

export class Broker {
  readonly stats: BrokerStats = createStats();
  readonly #clock: Clock;
  readonly #limits: BrokerOptions["limits"];
  readonly #table = new RoutingTable();
  readonly #inFlight: DeadlineTable<InFlight>;
  readonly #kept: KeptRequests;
  readonly #settlement: Settlement;
  readonly #lostWorkers: LostWorkers;
  readonly #observer: Observer | undefined;
  /** Ends of many requests at once. */
  readonly #endings: SlicedWork;
  /** Workers and subscribers. */
  #registrations = 0;
  #state: "open" | "draining" | "closed" = "open";

  constructor(options: BrokerOptions) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#kept = options.kept ?? new KeptRequests(options.limits);
    this.#observer = options.observer;
    this.#endings = new SlicedWork((callback) => options.clock.after(0, callback));
    const expired = (row: InFlight): void => this.#settlement.settle(row, EXPIRED, DEADLINE);
    this.#inFlight = new DeadlineTable(options.clock, options.limits.inFlight, createInFlight, expired);
    this.#settlement = new Settlement({
      stats: this.stats,
      table: this.#inFlight,
      kept: this.#kept,
      clock: options.clock,
      observer: options.observer,
      pull: (group) => this.#pull(group),
    });
    this.#lostWorkers = new LostWorkers(this.#inFlight, this.#settlement, this.#endings);
  }

  /** Requests without an outcome. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Workers and subscribers that have not left. */
  get registrations(): number {
    return this.#registrations;
  }

  /** Bytes of requests that are kept. */
  get keptBytes(): number {
    return this.#kept.bytes;
  }

  /** Prepares a literal subject. Throws `BAD_SUBJECT`. */
  route(subject: string): Route {
    return this.#table.route(subject);
  }

  /** Hands the message to every subscriber before it returns. */
  publish(route: Route, publication: Message): void {
    const target = route as BrokerRoute;
    this.#table.resolve(target);
    const { subscribers } = target;
    this.stats.publications++;
    this.stats.deliveries += subscribers.length;
    for (let index = 0; index < subscribers.length; index++) subscribers[index]!.deliver(target, publication);
    this.#observer?.published?.(target.subject, subscribers.length);
  }

  /** Hands the request to one worker, or queues it. Returns a handle for `cancel`, 0 when it has ended already. */
  request(
    route: Route,
    request: Message,
    timeoutMs: number,
    sink: Sink,
    tag: number,
    now: number = this.#clock.now(),
  ): number {
    const target = route as BrokerRoute;
    this.stats.requests++;
    this.#table.resolve(target);
    const settlement = this.#settlement;
    const group = target.groups.length === 1 ? target.groups[0] : pickGroup(target.groups);
    if (this.#state !== "open" || group === undefined || !(timeoutMs > 0))
      return settlement.refuse(this.#objection(group), target, request, timeoutMs, sink, tag);
    const timeout = timeoutMs < MAX_TIMEOUT ? timeoutMs : MAX_TIMEOUT;
    // What waits goes first, also when this request is made in the moment between a job's end and the next pull.
    const member = group.waitingCount > 0 ? undefined : group.choose();
    if (member === undefined) return this.#enqueue(group, target, request, timeout, now, sink, tag);
    const isKept = group.attempts !== 1 || member.keeps === true;
    const kept = isKept ? this.#kept.keepHeld(request, sink, tag, group.attempts) : undefined;
    if (kept !== undefined && "code" in kept)
      return settlement.refuse(cannotBeKept(kept), target, request, timeout, sink, tag);
    const row = this.#inFlight.add(now + timeout);
    if (row === undefined) {
      this.#kept.release({ kept });
      return settlement.refuse(TABLE_IS_FULL, target, request, timeout, sink, tag);
    }
    fillInFlight(row, sink, tag, group, target, kept, 1);
    giveTo(member, row);
    settlement.watch?.begin(row, timeout, now, member.worker.origin ?? IN_PROCESS);
    const { id } = row;
    member.worker.execute(id, target, request, timeout, now, 1);
    return row.id === id ? id : 0;
  }

  #enqueue(
    group: QueueGroup,
    route: BrokerRoute,
    request: Message,
    timeout: number,
    now: number,
    sink: Sink,
    tag: number,
  ): number {
    const settlement = this.#settlement;
    if (group.waitingCount >= this.#limits.queue)
      return settlement.refuse(QUEUE_IS_FULL, route, request, timeout, sink, tag);
    if (this.#inFlight.isFull) return settlement.refuse(TABLE_IS_FULL, route, request, timeout, sink, tag);
    const kept = this.#kept.keep(request, sink, tag, true);
    if ("code" in kept) return settlement.refuse(cannotBeKept(kept), route, request, timeout, sink, tag);
    const row = this.#inFlight.add(now + timeout);
    if (row === undefined) {
      this.#kept.release({ kept }); // a toJSON made requests
      return settlement.refuse(TABLE_IS_FULL, route, request, timeout, sink, tag);
    }
    fillInFlight(row, sink, tag, group, route, kept, 0);
    settlement.watch?.begin(row, timeout, now);
    group.enqueue(row.id, this.#isWaiting);
    return row.id;
  }

  /** Why a request is not taken. */
  #objection(group: QueueGroup | undefined): Refusal {
    if (this.#state === "draining") return IS_DRAINING;
    if (this.#state === "closed") return IS_CLOSED;
    return group === undefined ? NOBODY_SERVES : TOO_LATE;
  }

  /** Withdraws a request: the worker that holds it is told why, the sink gets nothing more. */
  cancel(handle: number, why: Failure = CALLER_GONE): void {
    const row = this.#inFlight.get(handle);
    if (row === undefined) return;
    this.#settlement.settle(row, why.code === "deadline_exceeded" ? CANCELED_LATE : CANCELED, why);
  }

  subscribe(pattern: string, subscriber: Subscriber): Subscription {
    const registered: Registered = { kind: "subscription", pattern, origin: subscriber.origin };
    const subscription = this.#table.subscribe(pattern, subscriber, () => {
      this.#registrations--;
      tellRegistration(this.#observer, "removed", registered);
    });
    this.#registrations++;
    tellRegistration(this.#observer, "added", registered);
    return subscription;
  }

  serve(pattern: string, worker: Worker, options: ServeOptions = {}): Registration {
    const { queue = "" } = options;
    // First: an observer that makes requests of its own must not reach the worker before this has returned.
    tellRegistration(this.#observer, "added", serviceOf(checkPattern(pattern), queue, worker));
    const group = this.#table.group(pattern, queue);
    const asked = Math.floor(options.concurrency ?? this.#limits.concurrency);
    const [concurrency, keeps] = [asked >= 1 ? asked : 1, worker.keepsRequests === true];
    const member: Member = { worker, group, keeps, concurrency, held: 0, aside: 0, serving: true };
    group.add(member);
    this.#registrations++;
    if (options.attempts !== undefined && options.attempts > group.attempts)
      group.attempts = options.attempts;
    // Not at once: the worker cannot answer before it has its registration.
    if (group.waitingCount > 0) this.#clock.after(0, () => this.#pull(group));
    return {
      ready: READY,
      reply: (job, answer, now) => this.#reply(member, job, answer, now),
      fail: (job, why) => this.#fail(member, job, why),
      leave: () => {
        this.#leave(member);
        return READY;
      },
      lose: () => {
        this.#leave(member);
        this.#lostWorkers.lose(member);
      },
      capacity: {
        resize: (places) => this.#resize(member, places),
        detach: (job) => this.#setAside(member, job),
        release: (job, request, executed) => this.#release(member, job, request, executed),
      },
    };
  }

  /** Takes no new requests; `then` is called when the last one has ended and its outcome is delivered. */
  drain(then: () => void): void {
    if (this.#state === "open") this.#state = "draining";
    this.#settlement.whenIdle(then);
  }

  /** Ends every request; `then` is called when all have heard it. What was given to a worker is not safe to retry. */
  close(then: () => void = () => undefined, why: Failure = CLOSED): void {
    this.#state = "closed";
    const ofHeld = { ...why, retryable: false };
    const rows = this.#inFlight.live();
    this.#endings.run(() => {
      const { value: row } = rows.next();
      if (row === undefined) {
        this.#inFlight.stop();
        then();
      } else {
        this.#settlement.settle(row, SHUT_DOWN, row.member === undefined ? why : ofHeld);
      }
      return row !== undefined;
    });
  }

  readonly #isWaiting = (id: number): boolean => {
    const row = this.#inFlight.get(id);
    return row !== undefined && row.member === undefined;
  };

  /** Gives queued requests to members that are free. */
  #pull(group: QueueGroup): void {
    if (group.pulling) return;
    group.pulling = true;
    try {
      this.#handOut(group);
    } finally {
      group.pulling = false;
    }
  }

  #handOut(group: QueueGroup): void {
    while (group.waitingCount > 0 && this.#state !== "closed") {
      const member = group.choose();
      if (member === undefined) return;
      const id = group.dequeue();
      if (id === undefined) return;
      const row = this.#inFlight.get(id);
      if (row === undefined || row.member !== undefined) continue; // it ended while it waited
      const now = this.#clock.now();
      const left = row.deadline - now;
      if (left <= 0) {
        this.#endings.run(() => this.#expireNow(id));
        continue;
      }
      const { route, message } = row;
      if (group.attempts === 1 || message!.streams !== undefined) this.#kept.handOver(row, member);
      giveTo(member, row);
      this.#settlement.watch?.handOut(row, member.worker.origin ?? IN_PROCESS, now);
      group.waitingCount--;
      member.worker.execute(id, route!, message!, left, now, ++row.attempt);
    }
  }

  #resize(member: Member, places: number): void {
    const more = places > member.concurrency;
    member.concurrency = places;
    if (more && member.serving && member.group.waitingCount > 0) this.#pull(member.group);
  }

  #setAside(member: Member, job: number): void {
    const row = this.#inFlight.get(job);
    if (row === undefined || row.member !== member || row.aside) return;
    row.aside = true;
    member.held--;
    member.aside++;
  }

  #release(member: Member, job: number, request: Message, executed: boolean): boolean {
    const row = this.#inFlight.get(job);
    if (row === undefined || row.member !== member || member.group.members.length === 0) return false;
    if (!executed) row.attempt--;
    row.message = request;
    this.#settlement.takeBack(row, member);
    return true;
  }

  #reply(member: Member, job: number, answer: Message, now: number | undefined): boolean {
    const row = this.#settlement.held(member, job);
    if (row === undefined) return false;
    this.#settlement.settle(row, ANSWERED, undefined, answer, now);
    return true;
  }

  #fail(member: Member, job: number, why: Failure): boolean {
    const row = this.#settlement.held(member, job);
    if (row === undefined) return false;
    this.#settlement.settle(row, FAILED, why);
    return true;
  }

  #expireNow(id: number): false {
    const row = this.#inFlight.get(id);
    if (row !== undefined) this.#settlement.settle(row, EXPIRED, DEADLINE);
    return false;
  }

  #leave(member: Member): void {
    if (!member.serving) return;
    member.serving = false;
    this.#registrations--;
    const { group } = member;
    group.remove(member);
    tellRegistration(this.#observer, "removed", serviceOf(group.pattern, group.queue, member.worker));
    if (group.members.length > 0) return;
    this.#table.dropGroup(group);
    this.#abandon(group);
  }

  /** No worker is left for the waiting requests. They were not executed, so they fail with NO_RESPONDERS. */
  #abandon(group: QueueGroup): void {
    if (group.waitingCount === 0) return;
    this.#endings.run(() => {
      const id = group.dequeue();
      if (id === undefined) return false;
      const row = this.#inFlight.get(id);
      if (row === undefined || row.group !== group || row.member !== undefined) return true;
      this.#settlement.settle(row, ABANDONED, NO_RESPONDERS);
      return true;
    });
  }
}

function serviceOf(pattern: string, queue: string, { origin }: Worker): Registered {
  return { kind: "service", pattern, queue, origin };
}
