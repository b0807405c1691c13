/** The jobs that are out, by their ids, each with a lease, and those that were until lately. Knows no sockets. */
import { DeadlineTable, type Pending } from "../../collections/deadline-table.ts";
import type { Clock } from "../../runtime/clock.ts";
import { LintelError } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import { NEXT_STATES, isOut, type Job, type JobEnd, type JobOwner, type JobState } from "./job.ts";

interface Lease extends Pending {
  job: Job | undefined;
}

export interface JobTableOptions {
  readonly clock: Clock;
  /** Ids that cannot be guessed, none twice. */
  readonly newId: () => string;
  /** Ids of jobs that have ended, kept to tell why; the oldest are forgotten. */
  readonly remembered: number;
}

/** At the deadline the engine withdraws the job. Its own lease ends this much later, in milliseconds, if it does not. */
const PAST_DEADLINE_MS = 1_000;

export class JobTable {
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #jobs = new Map<string, Job>();
  readonly #leases: DeadlineTable<Lease>;
  /** Ids of those that have ended, in a ring. */
  readonly #ended: string[] = [];
  readonly #remembered: number;
  #next = 0;

  constructor({ clock, newId, remembered }: JobTableOptions) {
    this.#clock = clock;
    this.#newId = newId;
    this.#remembered = remembered;
    this.#leases = new DeadlineTable<Lease>(
      clock,
      Number.MAX_SAFE_INTEGER, // as many as the engine has given
      () => ({ id: 0, deadline: 0, job: undefined }),
      (lease) => lease.job!.owner.expired(lease.job!),
    );
  }

  /** Jobs that have not ended. */
  get size(): number {
    return this.#jobs.size - this.#ended.length;
  }

  /** The job that was given this id, which may have ended; undefined when there was none, or it is forgotten. */
  find(id: string): Job | undefined {
    const job = this.#jobs.get(id);
    return job?.state === "ready" ? undefined : job; // an id that was never handed out
  }

  /** Those that are out with workers whose credentials are no longer good. */
  revoked(): Job[] {
    return [...this.#jobs.values()].filter((job) => job.admitted?.ended !== undefined && isOut(job));
  }

  add(owner: JobOwner, number: number, request: Message, deadline: number, attempt: number): Job {
    const id = this.#newId();
    const job: Job = {
      id,
      owner,
      number,
      attempt,
      deadline,
      state: "ready",
      request,
      holder: undefined,
      admitted: undefined,
      leaseEnds: deadline,
      lease: 0,
    };
    this.#jobs.set(id, job);
    return job;
  }

  /** A poll takes the job, for `leaseMs` milliseconds, or until its deadline when undefined. */
  offer(job: Job, leaseMs: number | undefined): void {
    this.#move(job, "offered");
    job.leaseEnds = this.#leaseEnd(job, leaseMs);
    const lease = this.#leases.add(this.#dueOf(job))!;
    lease.job = job;
    job.lease = lease.id;
  }

  /** The connection has taken the response that the job is in. Nothing happens when the job has ended since. */
  taken(job: Job): void {
    if (job.state === "offered") this.#move(job, "leased");
  }

  /** Lets the lease of a job that is out last for so long from now, unless it would last longer anyway. */
  extend(job: Job, leaseMs: number): void {
    const ends = this.#leaseEnd(job, leaseMs);
    if (!isOut(job) || ends <= job.leaseEnds) return;
    job.leaseEnds = ends;
    this.#leases.postpone(this.#leases.get(job.lease)!, this.#dueOf(job));
  }

  /** Ends a job. Returns its request, or undefined when it had ended already. */
  end(job: Job, how: JobEnd): Message | undefined {
    const { request } = job;
    if (request === undefined) return undefined;
    this.#move(job, how);
    job.request = undefined;
    job.admitted = undefined;
    const lease = this.#leases.get(job.lease);
    if (lease !== undefined) {
      lease.job = undefined;
      this.#leases.release(lease);
    }
    this.#remember(job.id);
    return request;
  }

  /** Stops the clock. */
  close(): void {
    this.#leases.stop();
  }

  #leaseEnd({ deadline }: Job, leaseMs: number | undefined): number {
    return leaseMs === undefined ? deadline : Math.min(deadline, this.#clock.now() + leaseMs);
  }

  #dueOf({ leaseEnds, deadline }: Job): number {
    return leaseEnds < deadline ? leaseEnds : deadline + PAST_DEADLINE_MS;
  }

  #move(job: Job, next: JobState): void {
    if (!NEXT_STATES[job.state].includes(next))
      throw new LintelError("internal", `a job that is ${job.state} cannot become ${next}`);
    job.state = next;
  }

  #remember(id: string): void {
    if (this.#ended.length < this.#remembered) {
      this.#ended.push(id);
      return;
    }
    this.#jobs.delete(this.#ended[this.#next]!);
    this.#ended[this.#next] = id;
    this.#next = (this.#next + 1) % this.#remembered;
  }
}
