import type { Engine } from "../../engine/engine.ts";
import { HeldJobs } from "../../engine/held-jobs.ts";
import type { Route, Worker } from "../../message/delivery.ts";
import { failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import type { Job, JobOwner } from "./job.ts";
import type { JobTable } from "./job-table.ts";

/** A worker that waits for jobs. */
export interface Poll {
  /** Jobs it still takes. */
  readonly room: number;
  /** The lease it asks for, in milliseconds; undefined for that of the service. */
  readonly leaseMs: number | undefined;
  /** Has a job, and less room. */
  take(job: Job): void;
  /** Will get none. */
  refuse(why: Failure): void;
}

export interface PullServiceOptions {
  /** Times a request is handed out when its worker is lost; 1: at most once. */
  readonly attempts: number;
  /** Lease of jobs, in milliseconds; undefined: until their deadline. */
  readonly leaseMs: number | undefined;
}

const NO_WORKER = Object.freeze(failure("NO_RESPONDERS", "no worker polls the service any longer"));
/** All polls of one service are one worker of the engine. */
const POLLS: Origin = Object.freeze({ gateway: "jobs", remote: undefined, principal: undefined });

/**
 * The workers that poll for one subject, as one member of its queue group: it takes as many requests at a time as the polls
 * that wait have room for. While there is no poll it takes none, and keeps the queue.
 */
export class PullWorker implements Worker, JobOwner {
  readonly keepsRequests = true;
  readonly origin: Origin = POLLS;
  readonly subject: string;
  /** When a worker was last heard of, by the clock. */
  lastSeen: number;
  readonly #engine: Engine;
  readonly #table: JobTable;
  readonly #options: PullServiceOptions;
  /** Those with room, in the order they came. */
  readonly #polls = new Set<Poll>();
  /** Their room together. */
  #free = 0;
  /** Jobs that no poll was there for, the next one last. */
  #ready: Job[] = [];
  /** An engine without capacity hands out as it likes: what is too much waits here. */
  readonly #jobs = new HeldJobs<Job>(0);

  /** `onRefused` is called when the engine does not take the service, or takes it no longer. */
  constructor(
    engine: Engine,
    table: JobTable,
    subject: string,
    options: PullServiceOptions,
    onRefused: (why: Failure) => void,
  ) {
    this.subject = subject;
    this.#engine = engine;
    this.#table = table;
    this.#options = options;
    this.lastSeen = engine.clock.now();
    const { attempts } = options;
    const ready = this.#jobs.join(engine.serve(subject, this, { attempts, onEnded: onRefused }));
    ready.catch((error: unknown) => onRefused(toFailure(error, failure("BAD_PAYLOAD"))));
    this.#jobs.resize(0);
  }

  /** True while there is no poll and no job is out. */
  get isIdle(): boolean {
    return this.#polls.size === 0 && this.#jobs.size === this.#ready.length;
  }

  /** A worker waits, with the jobs that are there already given to it before this returns. */
  open(poll: Poll): void {
    this.lastSeen = this.#engine.clock.now();
    this.#polls.add(poll);
    this.#free += poll.room;
    this.#handReady();
    this.#jobs.resize(this.#free);
  }

  /** A worker waits no longer. */
  close(poll: Poll): void {
    this.lastSeen = this.#engine.clock.now();
    if (!this.#polls.delete(poll)) return;
    this.#free -= poll.room;
    this.#jobs.resize(this.#free);
  }

  // Worker

  execute(
    number: number,
    _route: Route,
    request: Message,
    timeoutMs: number,
    now: number,
    attempt: number,
  ): void {
    if (request.streams !== undefined) {
      discardStreams(request, failure("STREAMS_UNSUPPORTED"));
      this.#refuse(number, failure("STREAMS_UNSUPPORTED"));
      return;
    }
    let kept: Message;
    try {
      kept = request.retain();
    } catch (error) {
      this.#refuse(number, toFailure(error, failure("BAD_PAYLOAD")));
      return;
    }
    const job = this.#table.add(this, number, kept, now + timeoutMs, attempt);
    this.#jobs.hold(number, job);
    const poll = this.#firstPoll();
    if (poll === undefined) this.#ready.unshift(job);
    else this.#hand(job, poll);
  }

  cancel(number: number): void {
    const job = this.#jobs.take(number);
    if (job !== undefined) this.#withdraw(job);
  }

  // JobOwner

  answer(job: Job, answer: Message): boolean {
    return this.#end(job, "answered") !== undefined && this.#jobs.reply(job.number, answer);
  }

  fail(job: Job, why: Failure): boolean {
    return this.#end(job, "failed") !== undefined && this.#jobs.fail(job.number, why);
  }

  release(job: Job): void {
    const request = this.#end(job, "released");
    if (request !== undefined) this.#giveBack(job, request, true);
  }

  extend(job: Job, leaseMs: number): void {
    this.#table.extend(job, leaseMs);
  }

  lost(job: Job): void {
    const request = this.#end(job, "returned");
    if (request !== undefined) this.#giveBack(job, request, false);
  }

  expired(job: Job): void {
    const request = this.#end(job, "expired");
    if (request === undefined) return;
    if (job.attempt < this.#options.attempts) this.#giveBack(job, request, true);
    else this.#jobs.fail(job.number, failure("WORKER_LOST"));
  }

  /** The connection of its worker has taken the job. */
  taken(job: Job): void {
    this.#table.taken(job);
  }

  /** Gives the service up; what waits in its queue goes to others, if there are any. What waits here has no worker. */
  leave(why: Failure): void {
    for (const poll of [...this.#polls]) poll.refuse(why);
    for (const job of this.#ready.splice(0)) {
      this.#table.end(job, "withdrawn");
      this.#jobs.fail(job.number, NO_WORKER);
    }
    void this.#jobs.leave();
  }

  #end(job: Job, how: "answered" | "failed" | "released" | "returned" | "expired"): Message | undefined {
    this.lastSeen = this.#engine.clock.now();
    return this.#table.end(job, how);
  }

  #giveBack(job: Job, request: Message, executed: boolean): void {
    const { number, deadline, attempt } = job;
    if (this.#jobs.capacity !== undefined)
      return this.#jobs.release(number, request, executed, failure("WORKER_LOST"));
    this.#jobs.take(number);
    const again = this.#table.add(this, number, request, deadline, executed ? attempt + 1 : attempt);
    this.#jobs.hold(number, again);
    this.#ready.push(again);
    return this.#handReady();
  }

  #handReady(): void {
    while (this.#ready.length > 0) {
      const poll = this.#firstPoll();
      if (poll === undefined) return;
      const job = this.#ready.pop()!;
      if (job.deadline > this.#engine.clock.now()) this.#hand(job, poll);
      else this.#late(job);
    }
  }

  /** Expired work is not handed out, even where the engine has not withdrawn it yet. */
  #late(job: Job): void {
    this.#withdraw(job);
    this.#jobs.fail(job.number, failure("DEADLINE"));
  }

  #withdraw(job: Job): void {
    if (job.state === "ready") this.#ready = this.#ready.filter((one) => one !== job);
    this.#table.end(job, "withdrawn");
  }

  /** Fails a request that no worker is given. */
  #refuse(number: number, why: Failure): void {
    this.#jobs.hold(number);
    this.#jobs.fail(number, why);
  }

  #firstPoll(): Poll | undefined {
    return this.#polls.size === 0 ? undefined : this.#polls.values().next().value;
  }

  #hand(job: Job, poll: Poll): void {
    const { room } = poll;
    this.#table.offer(job, poll.leaseMs ?? this.#options.leaseMs);
    poll.take(job);
    this.#free -= room - poll.room;
    if (poll.room === 0) this.#polls.delete(poll);
    this.#jobs.capacity?.detach(job.number);
    this.#jobs.resize(this.#free);
  }
}
