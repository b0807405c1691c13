import { NumberMap } from "../../collections/number-map.ts";
import { DeadlineTable, type Pending } from "../../collections/deadline-table.ts";
import type { Clock } from "../../runtime/clock.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import { IN_PROCESS } from "../../message/origin.ts";
import type { Observer } from "../../observe/observer.ts";
import { discardStreams } from "../../stream/stream.ts";
import type { ServiceEntry } from "./registrations.ts";
import { Unsent } from "./unsent.ts";

interface Job extends Pending {
  /** The hub's number for it. */
  wireId: number;
  service: ServiceEntry | undefined;
}

/** What a worker has said of a job: an answer, or why there is none. */
export type Outcome = { readonly service: ServiceEntry } & (
  | { readonly message: Message; readonly why: undefined }
  | { readonly message: undefined; readonly why: Failure }
);

/**
 * Requests the hub has sent here. Workers know them by numbers of this table, never used twice: an answer that comes
 * after the session was lost cannot be taken for the answer to a request of the next one.
 */
export class Jobs {
  readonly #table: DeadlineTable<Job>;
  readonly #byWireId = new NumberMap();
  /** Outcomes that wait to be sent. Their jobs are held meanwhile, so that no more come than the worker takes. */
  readonly #unsent = new Unsent<Outcome>(Infinity);
  #late = 0;
  readonly #observer: Observer | undefined;

  constructor(clock: Clock, limit: number, observer?: Observer) {
    this.#observer = observer;
    this.#table = new DeadlineTable<Job>(
      clock,
      limit,
      () => ({ id: 0, deadline: 0, wireId: 0, service: undefined }),
      (job) => this.#drop(job, failure("DEADLINE")),
    );
  }

  get size(): number {
    return this.#table.size;
  }

  /** Answers that came when they were no longer wanted. */
  get late(): number {
    return this.#late;
  }

  /** Takes a job on; 0 when there are too many. */
  add(wireId: number, service: ServiceEntry, deadline: number): number {
    const job = this.#table.add(deadline);
    if (job === undefined) return 0;
    job.wireId = wireId;
    job.service = service;
    this.#byWireId.set(wireId, job.id);
    return job.id;
  }

  /** True while the hub's number stands for a job that is held. */
  holds(wireId: number): boolean {
    return this.#byWireId.get(wireId) !== 0;
  }

  /** Ends a job of this service. Returns the hub's number for it, 0 when it has ended already. */
  end(id: number, service: ServiceEntry): number {
    const job = this.#table.get(id);
    if (job !== undefined && job.service === service) return this.#release(job);
    this.#isLate(service);
    return 0;
  }

  /** Keeps the outcome of a job until it is taken with `nextOutcome`. False when the job has ended already. */
  keep(id: number, outcome: Outcome): boolean {
    const job = this.#table.get(id);
    if (job !== undefined && job.service === outcome.service && !this.#unsent.has(id))
      return this.#unsent.add(id, outcome);
    this.#isLate(outcome.service);
    return false;
  }

  /** Ends the job whose outcome has waited longest. */
  nextOutcome(): (Outcome & { readonly wireId: number }) | undefined {
    const id = this.#unsent.first;
    const outcome = id === undefined ? undefined : this.#unsent.take(id);
    if (id === undefined || outcome === undefined) return undefined;
    return { ...outcome, wireId: this.end(id, outcome.service) };
  }

  /** The hub has withdrawn a job. */
  cancel(wireId: number, why: Failure): void {
    const job = this.#table.get(this.#byWireId.get(wireId));
    if (job !== undefined) this.#drop(job, why);
  }

  cancelAll(why: Failure): void {
    for (const job of this.#table.live()) this.#drop(job, why);
  }

  /** Ends all jobs of one service that have no outcome. Returns the hub's numbers for them. */
  endService(service: ServiceEntry): number[] {
    const ended: number[] = [];
    for (const job of this.#table.live())
      if (job.service === service && !this.#unsent.has(job.id)) ended.push(this.#release(job));
    return ended;
  }

  /** Ends all jobs, and tells their workers and the hub why. They may have been executed. */
  failAll(
    why: Failure,
    session: { error(service: number, id: number, why: Failure): void } | undefined,
  ): void {
    for (const job of this.#table.live()) {
      if (job.service !== undefined)
        session?.error(job.service.number, job.wireId, { ...why, retryable: false });
      this.#drop(job, why);
    }
  }

  stop(): void {
    this.#table.stop();
  }

  #isLate({ pattern, worker }: ServiceEntry): void {
    this.#late++;
    const { gateway, remote, principal } = worker.origin ?? IN_PROCESS;
    this.#observer?.lateReply?.({ pattern, gateway, remote, principal });
  }

  #drop(job: Job, why: Failure): void {
    const { id, service } = job;
    this.#release(job);
    const outcome = this.#unsent.take(id);
    if (outcome?.message !== undefined) return discardStreams(outcome.message, why);
    if (outcome !== undefined) return;
    service?.worker.cancel(id, why);
  }

  #release(job: Job): number {
    const { wireId } = job;
    this.#byWireId.take(wireId);
    job.service = undefined;
    this.#table.release(job);
    return wireId;
  }
}
