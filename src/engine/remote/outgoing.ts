/** Requests of this end, from the call to their outcome. */
import { DeadlineTable, type Pending } from "../../collections/deadline-table.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Sink } from "../../message/delivery.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Limits } from "../../message/limits.ts";
import type { Message } from "../../message/message.ts";
import { discardStreams } from "../../stream/stream.ts";
import { checkSize } from "../../session/frame-writer.ts";
import type { OutBinding } from "../../session/bindings.ts";
import type { Session } from "../../session/session.ts";
import type { Incoming } from "./registrations.ts";
import { Unsent } from "./unsent.ts";

/** A request that waits for its outcome. */
export interface Waiting extends Pending {
  sink: Sink | undefined;
  tag: number;
}

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
}

/** Requests that wait for a session that is full may have so many times its buffer. */
const MOST_UNSENT = 64;

export class Outgoing {
  /** All of them, by number. */
  readonly table: DeadlineTable<Waiting>;
  readonly #options: OutgoingOptions;
  readonly #unsent: Unsent<UnsentRequest>;

  constructor(options: OutgoingOptions) {
    const { clock, limits } = options;
    this.#options = options;
    this.#unsent = new Unsent(MOST_UNSENT * limits.sessionBuffer);
    this.table = new DeadlineTable<Waiting>(
      clock,
      limits.inFlight,
      () => ({ id: 0, deadline: 0, sink: undefined, tag: 0 }),
      (row) => this.#expired(row),
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
    const row = this.table.add(this.#options.clock.now() + timeoutMs);
    if (row === undefined) return refuse(request, sink, tag, failure("IN_FLIGHT_FULL"));
    row.sink = sink;
    row.tag = tag;
    const { id } = row;
    try {
      if (session.pressure.isFull) this.#wait(session, id, route, request);
      else session.request(route, id, request, timeoutMs);
    } catch (error) {
      this.release(row);
      return refuse(request, sink, tag, toFailure(error));
    }
    return row.id === id ? id : 0; // sending may have found the hub too slow and ended the session
  }

  cancel(number: number, why: Failure): void {
    const row = this.table.get(number);
    if (row !== undefined) this.#withdraw(row, why);
  }

  /** Sends the oldest that waits for room. False when none does. */
  sendNext(session: Session<Incoming>): boolean {
    const id = this.#unsent.first;
    const unsent = id === undefined ? undefined : this.#unsent.take(id);
    const row = id === undefined ? undefined : this.table.get(id);
    if (id === undefined || unsent === undefined || row === undefined) return false;
    try {
      session.request(unsent.route, id, unsent.message, row.deadline - this.#options.clock.now());
    } catch (error) {
      this.#fail(row, toFailure(error));
      discardStreams(unsent.message, toFailure(error));
    }
    return true;
  }

  /** The session is lost: what was not sent fails with a reason of its own. */
  failAll(why: Failure, unsentWhy: Failure): void {
    for (const row of this.table.live()) {
      const unsent = this.#unsent.take(row.id);
      this.#fail(row, unsent === undefined ? why : unsentWhy);
      if (unsent !== undefined) discardStreams(unsent.message, unsentWhy);
    }
  }

  release(row: Waiting): void {
    row.sink = undefined;
    this.table.release(row);
    this.#options.onReleased();
  }

  /** Throws what keeping it throws, and `IN_FLIGHT_FULL` where too much waits. */
  #wait(session: Session<Incoming>, id: number, route: OutBinding, request: Message): void {
    const message = request.retain();
    checkSize(message, session);
    if (!this.#unsent.add(id, { route, message })) throw LintelError.from(failure("IN_FLIGHT_FULL"));
  }

  #expired(row: Waiting): void {
    const { sink, tag } = row;
    this.#withdraw(row, failure("DEADLINE"));
    sink?.failed(tag, failure("DEADLINE"));
  }

  #withdraw(row: Waiting, why: Failure): void {
    const { id } = row;
    const unsent = this.#unsent.take(id);
    this.release(row);
    if (unsent === undefined) this.#options.session()?.cancel(0, id, why);
    else discardStreams(unsent.message, why);
  }

  #fail(row: Waiting, why: Failure): void {
    const { sink, tag } = row;
    this.release(row);
    sink?.failed(tag, why);
  }
}

/** Fails a request that was not taken. */
export function refuse(request: Message, sink: Sink, tag: number, why: Failure): 0 {
  sink.failed(tag, why);
  discardStreams(request, why);
  return 0;
}
