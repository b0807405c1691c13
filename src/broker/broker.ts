/** The broker: who gets which message, and one outcome for every request. It knows no sockets; time comes from outside. */
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
import { SlicedWork } from "../runtime/sliced-work.ts";
import { discardStreams } from "../stream/stream.ts";
import { KeptRequests, type KeepingLimits } from "./kept-requests.ts";
import { clearInFlight, createInFlight, fillInFlight, type InFlight } from "./in-flight.ts";
import {
  CALLER_GONE,
  CLOSED,
  DEADLINE,
  DRAINING,
  NO_RESPONDERS,
  QUEUE_FULL,
  WORKER_LOST,
} from "./outcomes.ts";
import { DeadlineTable } from "../collections/deadline-table.ts";
import { Refusals } from "./refusals.ts";
import { giveTo, pickGroup, takeFrom, type Member, type QueueGroup } from "./queue-group.ts";
import { RoutingTable, type BrokerRoute } from "./routes.ts";
import { createStats, type BrokerStats } from "./stats.ts";

export interface BrokerOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "inFlight" | "queue" | "concurrency"> & KeepingLimits;
}

const READY = Promise.resolve();

export class Broker {
  readonly stats: BrokerStats = createStats();
  readonly #clock: Clock;
  readonly #limits: BrokerOptions["limits"];
  readonly #table = new RoutingTable();
  readonly #inFlight: DeadlineTable<InFlight>;
  readonly #kept: KeptRequests;
  readonly #refusals: Refusals;
  /** Ends of many requests at once. */
  readonly #endings: SlicedWork;
  readonly #onIdle: (() => void)[] = [];
  #state: "open" | "draining" | "closed" = "open";

  constructor(options: BrokerOptions) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#kept = new KeptRequests(options.limits);
    this.#refusals = new Refusals(this.stats, this.#kept);
    this.#endings = new SlicedWork((callback) => options.clock.after(0, callback));
    const expired = (row: InFlight): void => this.#expired(row);
    this.#inFlight = new DeadlineTable(options.clock, options.limits.inFlight, createInFlight, expired);
  }

  /** Requests without an outcome. */
  get inFlight(): number {
    return this.#inFlight.size;
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
    const { stats } = this;
    stats.requests++;
    this.#table.resolve(target);
    const group = target.groups.length === 1 ? target.groups[0] : pickGroup(target.groups);
    if (this.#state === "draining")
      return this.#refusals.refuse("refusedDraining", DRAINING, request, sink, tag);
    if (this.#state === "closed") return this.#refusals.refuse("closed", CLOSED, request, sink, tag);
    if (group === undefined) return this.#refusals.refuse("noResponders", NO_RESPONDERS, request, sink, tag);
    if (!(timeoutMs > 0)) return this.#refusals.refuse("deadline", DEADLINE, request, sink, tag);
    const timeout = timeoutMs < MAX_TIMEOUT ? timeoutMs : MAX_TIMEOUT;
    // What waits goes first, also when this request is made in the moment between a job's end and the next pull.
    const member = group.waitingCount > 0 ? undefined : group.choose();
    if (member === undefined) return this.#enqueue(group, target, request, now + timeout, sink, tag);
    const isKept = group.attempts !== 1 || member.keeps === true;
    const kept = isKept ? this.#kept.keepHeld(request, sink, tag, group.attempts) : undefined;
    if (kept !== undefined && "code" in kept) return this.#refusals.unkept(kept, request, sink, tag);
    const row = this.#inFlight.add(now + timeout);
    if (row === undefined) return this.#refusals.noRow(kept, request, sink, tag);
    fillInFlight(row, sink, tag, group, target, kept, 1);
    giveTo(member, row);
    const { id } = row;
    member.worker.execute(id, target, request, timeout, now, 1);
    return row.id === id ? id : 0;
  }

  #enqueue(
    group: QueueGroup,
    route: BrokerRoute,
    request: Message,
    deadline: number,
    sink: Sink,
    tag: number,
  ): number {
    if (group.waitingCount >= this.#limits.queue)
      return this.#refusals.refuse("queueFull", QUEUE_FULL, request, sink, tag);
    if (this.#inFlight.isFull) return this.#refusals.noRow(undefined, request, sink, tag);
    const kept = this.#kept.keep(request, sink, tag, true);
    if ("code" in kept) return this.#refusals.unkept(kept, request, sink, tag);
    const row = this.#inFlight.add(deadline);
    if (row === undefined) return this.#refusals.noRow(kept, request, sink, tag); // a toJSON made requests
    fillInFlight(row, sink, tag, group, route, kept, 0);
    group.enqueue(row.id, this.#isWaiting);
    return row.id;
  }

  /** Withdraws a request: the worker that holds it is told why, the sink hears nothing more. */
  cancel(handle: number, why: Failure = CALLER_GONE): void {
    const row = this.#inFlight.get(handle);
    if (row === undefined) return;
    if (why.code === "deadline_exceeded") this.stats.deadline++;
    else this.stats.canceled++;
    this.#withdraw(row, why, undefined);
  }

  subscribe(pattern: string, subscriber: Subscriber): Subscription {
    return this.#table.subscribe(pattern, subscriber);
  }

  serve(pattern: string, worker: Worker, options: ServeOptions = {}): Registration {
    const group = this.#table.group(pattern, options.queue ?? "");
    const asked = Math.floor(options.concurrency ?? this.#limits.concurrency);
    const [concurrency, keeps] = [asked >= 1 ? asked : 1, worker.keepsRequests === true];
    const member: Member = { worker, group, keeps, concurrency, held: 0, aside: 0, serving: true };
    group.add(member);
    if (options.attempts !== undefined && options.attempts > group.attempts)
      group.attempts = options.attempts;
    // Not at once: the worker cannot answer before it has its registration.
    if (group.waitingCount > 0) this.#clock.after(0, () => this.#pull(group));
    return {
      ready: READY,
      reply: (job, answer) => this.#reply(member, job, answer),
      fail: (job, why) => this.#fail(member, job, why),
      leave: () => {
        this.#leave(member);
        return READY;
      },
      lose: () => this.#lose(member),
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
    if (this.#inFlight.size === 0) then();
    else this.#onIdle.push(then);
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
        this.stats.closed++;
        this.#withdraw(row, row.member === undefined ? why : ofHeld, row.sink);
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
    this.#requeue(row, member);
    this.#pull(member.group);
    return true;
  }

  /** Takes a request from its worker, to be handed out again. */
  #requeue(row: InFlight, member: Member): void {
    takeFrom(member, row);
    member.group.requeue(row.id);
  }

  #reply(member: Member, job: number, answer: Message): boolean {
    const row = this.#inFlight.get(job);
    if (row === undefined || row.member !== member) {
      this.stats.lateReplies++;
      return false;
    }
    const { tag } = row;
    const sink = row.sink!;
    this.stats.answered++;
    this.#free(row);
    sink.answered(tag, answer);
    this.#ended(member.group);
    return true;
  }

  #fail(member: Member, job: number, why: Failure): boolean {
    const row = this.#inFlight.get(job);
    if (row === undefined || row.member !== member) {
      this.stats.lateReplies++;
      return false;
    }
    const { tag } = row;
    const sink = row.sink!;
    this.stats.failed++;
    this.#free(row);
    sink.failed(tag, why);
    this.#ended(member.group);
    return true;
  }

  #expired(row: InFlight): void {
    this.stats.deadline++;
    this.#withdraw(row, DEADLINE, row.sink);
  }

  #expireNow(id: number): false {
    const row = this.#inFlight.get(id);
    if (row !== undefined) this.#expired(row);
    return false;
  }

  /** Ends a request without its worker: the worker that holds it, if any, is told why, and so is the sink, if given. */
  #withdraw(row: InFlight, why: Failure, sink: Sink | undefined): void {
    const { id, tag, member, message } = row;
    const group = row.group!;
    this.#free(row);
    member?.worker.cancel(id, why);
    sink?.failed(tag, why);
    if (message !== undefined) discardStreams(message, why);
    this.#ended(group);
  }

  #free(row: InFlight): void {
    const { member } = row;
    if (member !== undefined) takeFrom(member, row);
    else row.group!.waitingCount--;
    if (row.kept !== undefined) this.#kept.release(row);
    clearInFlight(row);
    this.#inFlight.release(row);
  }

  /** After an outcome has been delivered: its place may be free for another, or it was the last. */
  #ended(group: QueueGroup): void {
    if (group.waitingCount > 0) this.#pull(group);
    if (this.#onIdle.length === 0 || this.#inFlight.size > 0) return;
    for (const then of this.#onIdle.splice(0)) then();
  }

  #leave(member: Member): void {
    if (!member.serving) return;
    member.serving = false;
    const { group } = member;
    group.remove(member);
    if (group.members.length > 0) return;
    this.#table.dropGroup(group);
    this.#abandon(group);
  }

  /** Nobody is left to serve what waits: it was not executed, so it fails as having no responders. */
  #abandon(group: QueueGroup): void {
    if (group.waitingCount === 0) return;
    this.#endings.run(() => {
      const id = group.dequeue();
      if (id === undefined) return false;
      const row = this.#inFlight.get(id);
      if (row === undefined || row.group !== group || row.member !== undefined) return true;
      const { sink, tag, message } = row;
      this.#free(row);
      this.stats.noResponders++;
      sink?.failed(tag, NO_RESPONDERS);
      if (message !== undefined) discardStreams(message, NO_RESPONDERS);
      this.#ended(group);
      return true;
    });
  }

  /** A worker is gone. What it still holds until its turn comes may end in other ways, but not by the worker. */
  #lose(member: Member): void {
    this.#leave(member);
    if (member.oldest === undefined) return;
    this.#endings.run(() => {
      this.#loseOne(member);
      return member.oldest !== undefined;
    });
  }

  #loseOne(member: Member): void {
    const { group } = member;
    const mayRepeat = group.attempts > 1 && group.members.length > 0;
    const held = mayRepeat ? member.newest : member.oldest; // of those put back the oldest is to be the first
    const row = this.#inFlight.get(held?.id ?? 0);
    if (row === undefined) return; // the last one has ended otherwise
    if (mayRepeat && row.message !== undefined && row.attempt < group.attempts) {
      this.#requeue(row, member);
    } else {
      const { tag } = row;
      const sink = row.sink!;
      this.stats.workerLost++;
      this.#free(row);
      sink.failed(tag, WORKER_LOST);
    }
    this.#ended(group);
  }
}
