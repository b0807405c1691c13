/** Requests of this end, from the call to their outcome. */
import { DeadlineTable, type Pending } from "../../collections/deadline-table.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Sink } from "../../message/delivery.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Limits } from "../../message/limits.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import type { Observer } from "../../observe/observer.ts";
import { RequestWatch, refuseRequest, type Watched } from "../../observe/request-watch.ts";
import { discardStreams } from "../../stream/stream.ts";
import { checkSize } from "../../session/frame-writer.ts";
import type { OutBinding } from "../../session/bindings.ts";
import type { Session } from "../../session/session.ts";
import type { Incoming } from "./registrations.ts";
import { Unsent } from "./unsent.ts";

/** A request that waits for its outcome. */
export interface Waiting extends Pending, Watched {
  sink: Sink | undefined;
  tag: number;
  subject: string;
}

/** A way to end, and which sides are told. */
interface Ending {
  /** The hub is told that the answer is no longer wanted. */
  readonly tellsHub: boolean;
  /** The sink is told. It is not where its caller has withdrawn the request. */
  readonly tellsSink: boolean;
}

const ENDED: Ending = { tellsHub: false, tellsSink: true };
const EXPIRED: Ending = { tellsHub: true, tellsSink: true };
const CANCELED: Ending = { tellsHub: true, tellsSink: false };

/** One that waits for room in the session besides. */
interface UnsentRequest {
  readonly route: OutBinding;
  readonly message: Message;
}

export interface OutgoingOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "inFlight" | "sessionBuffer">;
  readonly session: () => Session<Incoming> | undefined;
  /** One has ended. */
  readonly onReleased: () => void;
  readonly observer: Observer | undefined;
  /** The worker that observers see: the hub at the other end. */
  readonly origin: Origin;
}

/** Requests that wait for a session that is full may have so many times its buffer. */
const MOST_UNSENT = 64;

export class Outgoing {
  /** All of them, by number. */
  readonly table: DeadlineTable<Waiting>;
  readonly #options: OutgoingOptions;
  readonly #unsent: Unsent<UnsentRequest>;
  /** Undefined without an observer of requests. */
  readonly #watch: RequestWatch | undefined;

  constructor(options: OutgoingOptions) {
    const { clock, limits } = options;
    this.#options = options;
    this.#watch = RequestWatch.of(options.observer, clock);
    this.#unsent = new Unsent(MOST_UNSENT * limits.sessionBuffer);
    this.table = new DeadlineTable<Waiting>(
      clock,
      limits.inFlight,
      () => ({ id: 0, deadline: 0, sink: undefined, tag: 0, subject: "", notes: undefined }),
      (row) => this.#settle(row, EXPIRED, failure("DEADLINE")),
    );
  }

  /** Sends a request, now or when there is room. Returns its number, 0 when it has ended already. */
  request(
    session: Session<Incoming>,
    route: OutBinding,
    request: Message,
    timeoutMs: number,
    sink: Sink,
    tag: number,
  ): number {
    const now = this.#options.clock.now();
    const row = this.table.add(now + timeoutMs);
    if (row === undefined)
      return this.refuse(route, request, timeoutMs, sink, tag, failure("IN_FLIGHT_FULL"));
    row.sink = sink;
    row.tag = tag;
    row.subject = route.subject;
    const { id } = row;
    this.#watch?.begin(row, timeoutMs, now);
    try {
      if (session.pressure.isFull) this.#wait(session, id, route, request);
      else this.#send(session, row, route, request, timeoutMs, now);
    } catch (error) {
      this.#release(row);
      return this.refuse(route, request, timeoutMs, sink, tag, toFailure(error));
    }
    return row.id === id ? id : 0; // sending may have found the hub too slow and ended the session
  }

  /** Ends a request that is not taken. Returns 0, the handle of one that has ended. */
  refuse(route: OutBinding, request: Message, timeoutMs: number, sink: Sink, tag: number, why: Failure): 0 {
    return refuseRequest(this.#watch, route.subject, request, timeoutMs, sink, tag, why);
  }

  /** The hub has answered. False when the request has ended here: by its deadline, or canceled. */
  answered(number: number, answer: Message, now: number | undefined): boolean {
    const row = this.table.get(number);
    if (row === undefined) return false;
    this.#settle(row, ENDED, undefined, answer, now);
    return true;
  }

  failed(number: number, why: Failure): void {
    const row = this.table.get(number);
    if (row !== undefined) this.#settle(row, ENDED, why);
  }

  cancel(number: number, why: Failure): void {
    const row = this.table.get(number);
    if (row !== undefined) this.#settle(row, CANCELED, why);
  }

  /** Sends the oldest that waits for room. False when none does. */
  sendNext(session: Session<Incoming>): boolean {
    const id = this.#unsent.first;
    const unsent = id === undefined ? undefined : this.#unsent.take(id);
    const row = id === undefined ? undefined : this.table.get(id);
    if (id === undefined || unsent === undefined || row === undefined) return false;
    const now = this.#options.clock.now();
    try {
      this.#send(session, row, unsent.route, unsent.message, row.deadline - now, now);
    } catch (error) {
      this.#settle(row, ENDED, toFailure(error));
      discardStreams(unsent.message, toFailure(error));
    }
    return true;
  }

  /** The session is lost: what was not sent fails with a reason of its own. */
  failAll(why: Failure, unsentWhy: Failure): void {
    for (const row of this.table.live()) this.#settle(row, ENDED, this.#unsent.has(row.id) ? unsentWhy : why);
  }

  #send(
    session: Session<Incoming>,
    row: Waiting,
    route: OutBinding,
    request: Message,
    timeoutMs: number,
    now: number,
  ): void {
    session.request(route, row.id, request, timeoutMs);
    this.#watch?.handOut(row, this.#options.origin, now);
  }

  /** Throws what keeping it throws, and `IN_FLIGHT_FULL` where too much waits. */
  #wait(session: Session<Incoming>, id: number, route: OutBinding, request: Message): void {
    const message = request.retain();
    checkSize(message, session);
    if (!this.#unsent.add(id, { route, message })) throw LintelError.from(failure("IN_FLIGHT_FULL"));
  }

  /** Ends a request, with its answer or for a reason. Its row is free before anything is called. */
  #settle(row: Waiting, how: Ending, why: Failure | undefined, answer?: Message, now?: number): void {
    const watch = this.#watch;
    const { id, tag } = row;
    const sink = row.sink!;
    const unsent = why === undefined ? undefined : this.#unsent.take(id);
    const told = watch?.end(row, row.subject, sink, tag, row.notes?.isHeld === true ? 1 : 0, why, now);
    this.#release(row);
    if (why !== undefined) {
      if (unsent !== undefined) discardStreams(unsent.message, why);
      else if (how.tellsHub) this.#options.session()?.cancel(0, id, why);
      if (how.tellsSink) sink.failed(tag, why);
    } else if (answer !== undefined) sink.answered(tag, answer);
    if (told !== undefined) watch?.tell(told);
  }

  #release(row: Waiting): void {
    row.sink = undefined;
    this.table.release(row);
    this.#options.onReleased();
  }
}
