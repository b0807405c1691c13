/**
 * The broker: who gets which message, and one outcome for every request. It is synchronous and knows no sockets; time
 * and randomness come from outside, so that a run can be repeated.
 */
import type { Clock } from "../message/clock.ts";
import type {
  Registration,
  Route,
  ServeOptions,
  Sink,
  Subscriber,
  Subscription,
  Worker,
} from "../message/delivery.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import { MAX_TIMEOUT, type Limits } from "../message/limits.ts";
import type { Message } from "../message/message.ts";
import { discardStreams } from "../message/stream.ts";
import { checkPattern } from "../message/subject.ts";
import { createInFlight, type InFlight } from "./in-flight.ts";
import { PendingTable } from "./pending-table.ts";
import { QueueGroup, type Member } from "./queue-group.ts";
import { RoutingTable, type BrokerRoute } from "./routes.ts";
import { createStats, type BrokerStats } from "./stats.ts";

export interface BrokerOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "inFlight" | "queue" | "concurrency">;
}

const NO_RESPONDERS = Object.freeze(failure("NO_RESPONDERS"));
const QUEUE_FULL = Object.freeze(failure("QUEUE_FULL"));
const IN_FLIGHT_FULL = Object.freeze(failure("IN_FLIGHT_FULL"));
const DRAINING = Object.freeze(failure("DRAINING"));
const DEADLINE = Object.freeze(failure("DEADLINE"));
const CALLER_GONE = Object.freeze(failure("CALLER_GONE"));
const WORKER_LOST = Object.freeze(failure("WORKER_LOST"));
const BAD_PAYLOAD = Object.freeze(failure("BAD_PAYLOAD"));
const CLOSED = Object.freeze(failure("CLOSED"));
const READY = Promise.resolve();

export class Broker {
  readonly stats: BrokerStats = createStats();
  readonly #clock: Clock;
  readonly #limits: BrokerOptions["limits"];
  readonly #table = new RoutingTable();
  readonly #groups = new Map<string, QueueGroup>();
  readonly #inFlight: PendingTable<InFlight>;
  #onIdle: (() => void)[] = [];
  #state: "open" | "draining" | "closed" = "open";

  constructor(options: BrokerOptions) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#inFlight = new PendingTable(options.clock, options.limits.inFlight, createInFlight, (row) =>
      this.#expired(row),
    );
  }

  /** Requests without an outcome yet. */
  get inFlight(): number {
    return this.#inFlight.size;
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
  request(route: Route, request: Message, timeoutMs: number, sink: Sink, tag: number): number {
    const target = route as BrokerRoute;
    const { stats } = this;
    stats.requests++;
    this.#table.resolve(target);
    const group = target.groups.length === 1 ? target.groups[0] : pickGroup(target.groups);
    if (this.#state !== "open") return this.#refuseAll(request, sink, tag);
    if (group === undefined) return this.#refuse("noResponders", NO_RESPONDERS, request, sink, tag);
    if (!(timeoutMs > 0)) return this.#refuse("deadline", DEADLINE, request, sink, tag);
    const timeout = timeoutMs < MAX_TIMEOUT ? timeoutMs : MAX_TIMEOUT;
    // What waits goes first, also when this request is made in the moment between a job's end and the next pull.
    const member = group.waitingCount > 0 ? undefined : group.choose();
    if (member === undefined) return this.#enqueue(group, target, request, timeout, sink, tag);
    const now = this.#clock.now();
    const row = this.#inFlight.add(now + timeout);
    if (row === undefined) return this.#refuse("inFlightFull", IN_FLIGHT_FULL, request, sink, tag);
    row.sink = sink;
    row.tag = tag;
    row.group = group;
    row.member = member;
    member.held++;
    const { id } = row;
    member.worker.execute(id, target, request, timeout, now);
    return row.id === id ? id : 0;
  }

  #enqueue(
    group: QueueGroup,
    route: BrokerRoute,
    request: Message,
    timeout: number,
    sink: Sink,
    tag: number,
  ): number {
    if (group.waitingCount >= this.#limits.queue)
      return this.#refuse("queueFull", QUEUE_FULL, request, sink, tag);
    if (this.#inFlight.isFull) return this.#refuse("inFlightFull", IN_FLIGHT_FULL, request, sink, tag);
    let kept: Message;
    try {
      kept = request.retain();
    } catch (error) {
      const why = error instanceof LintelError ? error.toFailure() : BAD_PAYLOAD;
      return this.#refuse("failed", why, request, sink, tag);
    }
    const row = this.#inFlight.add(this.#clock.now() + timeout);
    if (row === undefined) return this.#refuse("inFlightFull", IN_FLIGHT_FULL, request, sink, tag); // a toJSON made requests
    row.sink = sink;
    row.tag = tag;
    row.group = group;
    row.route = route;
    row.message = kept;
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
    checkPattern(pattern);
    this.#table.subscribers.add(pattern, subscriber);
    this.#table.changed();
    let open = true;
    return {
      ready: READY,
      close: () => {
        if (!open) return;
        open = false;
        this.#table.subscribers.remove(pattern, subscriber);
        this.#table.changed();
      },
    };
  }

  serve(pattern: string, worker: Worker, options: ServeOptions = {}): Registration {
    checkPattern(pattern);
    const group = this.#group(pattern, options.queue ?? "");
    const asked = Math.floor(options.concurrency ?? this.#limits.concurrency);
    const concurrency = asked >= 1 ? asked : 1;
    const member: Member = { worker, group, concurrency, held: 0, serving: true };
    group.add(member);
    this.#table.changed();
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
    };
  }

  /** Takes no new requests; `then` is called when the last one has ended and its outcome is delivered. */
  drain(then: () => void): void {
    if (this.#state === "open") this.#state = "draining";
    if (this.#inFlight.size === 0) then();
    else this.#onIdle.push(then);
  }

  /** Ends every request as `CLOSED`. */
  close(): void {
    this.#state = "closed";
    for (const row of this.#inFlight.live()) {
      this.stats.closed++;
      this.#withdraw(row, CLOSED, row.sink);
    }
    this.#inFlight.stop();
  }

  #refuseAll(request: Message, sink: Sink, tag: number): 0 {
    if (this.#state === "closed") return this.#refuse("closed", CLOSED, request, sink, tag);
    return this.#refuse("refusedDraining", DRAINING, request, sink, tag);
  }

  #refuse(counter: keyof BrokerStats, why: Failure, request: Message, sink: Sink, tag: number): 0 {
    this.stats[counter]++;
    sink.failed(tag, why);
    discardStreams(request, why);
    return 0;
  }

  #group(pattern: string, queue: string): QueueGroup {
    const key = `${pattern} ${queue}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new QueueGroup(pattern, queue);
      this.#groups.set(key, group);
      this.#table.groups.add(pattern, group);
    }
    return group;
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
        this.#expired(row);
        continue;
      }
      const { route, message } = row;
      row.message = undefined;
      row.route = undefined;
      row.member = member;
      member.held++;
      group.waitingCount--;
      member.worker.execute(id, route!, message!, left, now);
    }
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
    if (member !== undefined) member.held--;
    else row.group!.waitingCount--;
    row.sink = undefined;
    row.group = undefined;
    row.member = undefined;
    row.message = undefined;
    row.route = undefined;
    this.#inFlight.release(row);
  }

  /** After an outcome has been delivered: its place may be free for another, or it was the last. */
  #ended(group: QueueGroup): void {
    if (group.waitingCount > 0) this.#pull(group);
    if (this.#onIdle.length > 0 && this.#inFlight.size === 0) this.#idle();
  }

  #idle(): void {
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const then of waiting) then();
  }

  #leave(member: Member): void {
    if (!member.serving) return;
    member.serving = false;
    const { group } = member;
    group.remove(member);
    if (group.members.length > 0) return;
    this.#table.groups.remove(group.pattern, group);
    this.#groups.delete(`${group.pattern} ${group.queue}`);
    this.#table.changed();
    this.#abandon(group);
  }

  /** Nobody is left to serve what waits: it was not executed, so it fails as having no responders. */
  #abandon(group: QueueGroup): void {
    for (let id = group.dequeue(); id !== undefined; id = group.dequeue()) {
      const row = this.#inFlight.get(id);
      if (row === undefined || row.group !== group || row.member !== undefined) continue;
      const { sink, tag, message } = row;
      this.#free(row);
      this.stats.noResponders++;
      sink?.failed(tag, NO_RESPONDERS);
      if (message !== undefined) discardStreams(message, NO_RESPONDERS);
      this.#ended(group);
    }
  }

  #lose(member: Member): void {
    this.#leave(member);
    if (member.held === 0) return;
    for (const row of this.#inFlight.live()) {
      if (row.member !== member) continue;
      const { tag } = row;
      const sink = row.sink!;
      this.stats.workerLost++;
      this.#free(row);
      sink.failed(tag, WORKER_LOST);
      this.#ended(member.group);
      if (member.held === 0) return;
    }
  }
}

/** A group with a free worker, else the one with the shortest queue. */
function pickGroup(groups: readonly QueueGroup[]): QueueGroup | undefined {
  let shortest = groups[0];
  for (const group of groups) {
    if (group.isReady) return group;
    if (group.waitingCount < shortest!.waitingCount) shortest = group;
  }
  return shortest;
}
