/** Measures requests from arrival to outcome, and reports each. It exists only if there is an observer. */
import type { Sink } from "../message/delivery.ts";
import type { Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import { IN_PROCESS, type Origin } from "../message/origin.ts";
import type { Clock } from "../runtime/clock.ts";
import { discardStreams } from "../stream/stream.ts";
import type { Observer, SettledRequest } from "./observer.ts";

/** What is noted of a request on its way. */
interface Notes {
  timeoutMs: number;
  /** When it came to where it is, by the clock. */
  since: number;
  queuedMs: number;
  workerMs: number;
  /** The worker that has it, or had it last. */
  worker: Origin | undefined;
  isHeld: boolean;
}

/** A row of a table of requests. Its notes are used again for the row's next request. */
export interface Watched {
  notes: Notes | undefined;
}

export class RequestWatch {
  readonly #settled: (request: SettledRequest) => void;
  readonly #clock: Clock;

  /** Undefined without an observer of requests. */
  static of(observer: Observer | undefined, clock: Clock): RequestWatch | undefined {
    const settled = observer?.settled?.bind(observer);
    return settled === undefined ? undefined : new RequestWatch(settled, clock);
  }

  private constructor(settled: (request: SettledRequest) => void, clock: Clock) {
    this.#settled = settled;
    this.#clock = clock;
  }

  /** The request of this row has come. Without a worker, it waits for one. */
  begin(row: Watched, timeoutMs: number, now: number, worker?: Origin): void {
    const { notes } = row;
    const isHeld = worker !== undefined;
    if (notes === undefined) {
      row.notes = { timeoutMs, since: now, queuedMs: 0, workerMs: 0, worker, isHeld };
      return;
    }
    notes.timeoutMs = timeoutMs;
    notes.since = now;
    notes.queuedMs = 0;
    notes.workerMs = 0;
    notes.worker = worker;
    notes.isHeld = isHeld;
  }

  /** A worker has it from now on. */
  handOut({ notes }: Watched, worker: Origin, now: number): void {
    if (notes === undefined) return;
    notes.queuedMs += now - notes.since;
    notes.since = now;
    notes.worker = worker;
    notes.isHeld = true;
  }

  /** Its worker has it no longer, and it waits for another. */
  takeBack({ notes }: Watched): void {
    if (notes === undefined) return;
    const now = this.#clock.now();
    notes.workerMs += now - notes.since;
    notes.since = now;
    notes.isHeld = false;
  }

  /** Its end, to be told with `tell` once its sink has heard of it. The sink still has to know the tag. */
  end(
    { notes }: Watched,
    subject: string,
    sink: Sink,
    tag: number,
    attempts: number,
    why: Failure | undefined,
    now: number = this.#clock.now(),
  ): SettledRequest {
    const spent = notes === undefined ? 0 : now - notes.since;
    const isHeld = notes?.isHeld === true;
    const { gateway, remote, principal } = sink.originOf?.(tag) ?? IN_PROCESS;
    return {
      subject,
      gateway,
      remote,
      principal,
      code: why === undefined ? "ok" : why.code,
      reason: why?.reason,
      worker: notes?.worker,
      attempts,
      timeoutMs: notes?.timeoutMs ?? 0,
      queuedMs: (notes?.queuedMs ?? 0) + (isHeld ? 0 : spent),
      workerMs: (notes?.workerMs ?? 0) + (isHeld ? spent : 0),
    };
  }

  tell(request: SettledRequest): void {
    this.#settled(request);
  }

  /** The end of a request that was not taken, or not even asked of an engine. */
  refused(subject: string, from: Origin, timeoutMs: number, why: Failure): void {
    this.#settled(refusedRequest(subject, from, timeoutMs, why));
  }
}

/** What is told of a request that a gateway or an engine did not take. */
export function refusedRequest(
  subject: string,
  { gateway, remote, principal }: Origin,
  timeoutMs: number,
  { code, reason }: Failure,
): SettledRequest {
  return {
    subject,
    gateway,
    remote,
    principal,
    code,
    reason,
    worker: undefined,
    attempts: 0,
    timeoutMs,
    queuedMs: 0,
    workerMs: 0,
  };
}

/** Ends a request that an engine does not take. Returns 0, the handle of one that has ended. */
export function refuseRequest(
  watch: RequestWatch | undefined,
  subject: string,
  request: Message,
  timeoutMs: number,
  sink: Sink,
  tag: number,
  why: Failure,
): 0 {
  const from = watch === undefined ? undefined : (sink.originOf?.(tag) ?? IN_PROCESS);
  sink.failed(tag, why);
  discardStreams(request, why);
  if (from !== undefined) watch?.refused(subject, from, timeoutMs, why);
  return 0;
}
