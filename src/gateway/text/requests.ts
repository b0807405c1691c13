/** The requests that one connection makes: REQ, and the RES or ERROR that ends it. */
import type { Admitted } from "../../access/admission.ts";
import type { Route, Sink } from "../../message/delivery.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { unsentAnswer } from "../../message/unsent.ts";
import { discardStreams } from "../../stream/stream.ts";
import { bodyOf, errorFrame, frameFor, saidIn } from "./encode.ts";
import type { TextOutlet } from "./outlet.ts";
import type { TextTenant } from "./tenant.ts";

interface Pending {
  readonly handle: number;
  readonly route: Route;
  readonly target: string;
  /** `ReqID` and `rid` as they were sent. */
  readonly ids: string;
}

export interface RequestsOwner {
  readonly admitted: Admitted;
  readonly tenant: TextTenant;
  readonly outlet: TextOutlet;
  readonly origin: Origin;
  readonly caller: string;
  /** Tells the connection why something it asked for was not done. */
  complain(why: Failure, command: string, target: string, ids?: string): void;
}

const FULL = Object.freeze(failure("IN_FLIGHT_FULL", "Too many requests in flight for"));

export class TextRequests implements Sink {
  readonly #owner: RequestsOwner;
  /** At most so many at a time. */
  readonly #limit: number;
  readonly #pending = new Map<number, Pending>();
  #last = 0;

  constructor(owner: RequestsOwner, limit: number) {
    this.#owner = owner;
    this.#limit = limit;
  }

  start(route: Route, target: string, ids: string, message: Message, timeoutMs: number): void {
    if (this.#pending.size >= this.#limit) return this.#owner.complain(FULL, "REQ", target, ids);
    const { observers } = this.#owner.tenant;
    if (!observers.isEmpty)
      observers.copy(
        route.subject,
        frameFor(`REQ ${target}\r\n`, "", saidIn(message, false), bodyOf(message)),
      );
    const tag = ++this.#last;
    const pending = { handle: 0, route, target, ids };
    this.#pending.set(tag, pending);
    try {
      pending.handle = this.#owner.admitted.engine.request(route, message, timeoutMs, this, tag);
    } catch (error) {
      this.#pending.delete(tag);
      throw error;
    }
    return undefined;
  }

  /** The connection is over: withdraws one of them; false when it was the last. */
  cancelOne(): boolean {
    for (const [tag, { handle }] of this.#pending) {
      this.#pending.delete(tag);
      this.#owner.admitted.engine.cancel(handle);
      break;
    }
    return this.#pending.size > 0;
  }

  // Sink

  answered(tag: number, answer: Message): void {
    const pending = this.#take(tag);
    if (pending === undefined) return discardStreams(answer);
    const { tenant, outlet } = this.#owner;
    const { target, ids, route } = pending;
    let frame: string;
    try {
      frame = frameFor(`RES ${target}\r\n`, ids, saidIn(answer, tenant.isBehind), bodyOf(answer));
    } catch (error) {
      const why = untellable(answer, error);
      discardStreams(answer, why);
      return this.#owner.complain(why, "REQ", target, ids);
    }
    outlet.send(frame);
    if (!tenant.observers.isEmpty) tenant.observers.copy(route.subject, frame);
    return undefined;
  }

  failed(tag: number, why: Failure): void {
    const pending = this.#take(tag);
    if (pending === undefined) return;
    const { target, ids, route } = pending;
    this.#owner.complain(why, "REQ", target, ids);
    const { observers } = this.#owner.tenant;
    if (!observers.isEmpty) observers.copy(route.subject, errorFrame(why, { command: "REQ", target, ids }));
  }

  callerOf(): string {
    return this.#owner.caller;
  }

  originOf(): Origin {
    return this.#owner.origin;
  }

  #take(tag: number): Pending | undefined {
    const pending = this.#pending.get(tag);
    this.#pending.delete(tag);
    return pending;
  }
}

/** Why an answer cannot be told in text, which is its worker's doing and not the caller's. */
function untellable(answer: Message, error: unknown): Failure {
  const why = unsentAnswer(answer, error);
  if (!(error instanceof LintelError) || error.reason === "HANDLER_FAILED") return why;
  return failure("BAD_ANSWER", `the worker answered, but ${error.message}`);
}
