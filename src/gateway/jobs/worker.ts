import type { Engine } from "../../engine/engine.ts";
import type { Capacity, Registration, Route, Worker } from "../../message/delivery.ts";
import { failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
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

/**
 * The workers that poll for one subject, as one member of its queue group: it takes as many requests at a time as the polls
 * that wait have room for. While nobody polls it takes none, and keeps the queue.
 */
export class PullWorker implements Worker, JobOwner {
  readonly keepsRequests = true;
  readonly subject: string;
  /** When a worker was last heard of, by the clock. */
  lastSeen: number;
  readonly #engine: Engine;
  readonly #table: JobTable;
  readonly #options: PullServiceOptions;
  readonly #registration: Registration;
  /** Undefined: the engine hands out as it likes, and what is too much waits here. */
  readonly #places: Capacity | undefined;
  /** Those with room, in the order they came. */
  readonly #polls = new Set<Poll>();
  /** Their room together. */
  #free = 0;
  /** Jobs that no poll was there for, the next one last. */
  #ready: Job[] = [];
  /** By the engine's number. */
  readonly #jobs = new Map<number, Job>();

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
    this.#registration = engine.serve(subject, this, { attempts, onEnded: onRefused });
    this.#registration.ready.catch((error: unknown) => onRefused(toFailure(error, failure("BAD_PAYLOAD"))));
    this.#places = this.#registration.capacity;
    this.#places?.resize(0);
  }

  /** True while nobody polls and no job is out. */
  get isIdle(): boolean {
    return this.#polls.size === 0 && this.#jobs.size === 0;
  }

  /** A worker waits, with the jobs that are there already given to it before this returns. */
  open(poll: Poll): void {
    this.lastSeen = this.#engine.clock.now();
    this.#polls.add(poll);
    this.#free += poll.room;
    this.#handReady();
    this.#places?.resize(this.#free);
  }

  /** A worker waits no longer. */
  close(poll: Poll): void {
    this.lastSeen = this.#engine.clock.now();
    if (!this.#polls.delete(poll)) return;
    this.#free -= poll.room;
    this.#places?.resize(this.#free);
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
      this.#registration.fail(number, failure("STREAMS_UNSUPPORTED"));
      return;
    }
    let kept: Message;
    try {
      kept = request.retain();
    } catch (error) {
      this.#registration.fail(number, toFailure(error, failure("BAD_PAYLOAD")));
      return;
    }
    const job = this.#table.add(this, number, kept, now + timeoutMs, attempt);
    this.#jobs.set(number, job);
    const poll = this.#firstPoll();
    if (poll === undefined) this.#ready.unshift(job);
    else this.#hand(job, poll);
  }

  cancel(number: number): void {
    const job = this.#jobs.get(number);
    if (job === undefined) return;
    this.#jobs.delete(number);
    if (job.state === "ready") this.#ready = this.#ready.filter((one) => one !== job);
    this.#table.end(job, "withdrawn");
  }

  // JobOwner

  answer(job: Job, answer: Message): boolean {
    return this.#end(job, "answered") !== undefined && this.#registration.reply(job.number, answer);
  }

  fail(job: Job, why: Failure): boolean {
    return this.#end(job, "failed") !== undefined && this.#registration.fail(job.number, why);
  }

  release(job: Job): void {
    const request = this.#end(job, "released");
    if (request !== undefined) this.#giveBack(job, request, true);
  }

  lost(job: Job): void {
    const request = this.#end(job, "returned");
    if (request !== undefined) this.#giveBack(job, request, false);
  }

  expired(job: Job): void {
    const request = this.#end(job, "expired");
    if (request === undefined) return;
    if (job.attempt < this.#options.attempts) this.#giveBack(job, request, true);
    else this.#registration.fail(job.number, failure("WORKER_LOST"));
  }

  /** Gives the service up; what waits in its queue goes to others, if there are any. */
  leave(why: Failure): void {
    for (const poll of [...this.#polls]) poll.refuse(why);
    void this.#registration.leave();
  }

  #end(job: Job, how: "answered" | "failed" | "released" | "returned" | "expired"): Message | undefined {
    this.lastSeen = this.#engine.clock.now();
    const request = this.#table.end(job, how);
    if (request !== undefined) this.#jobs.delete(job.number);
    return request;
  }

  #giveBack(job: Job, request: Message, executed: boolean): void {
    const { number, deadline, attempt } = job;
    if (this.#places !== undefined) {
      if (!this.#places.release(number, request, executed))
        this.#registration.fail(number, failure("WORKER_LOST"));
      return;
    }
    const again = this.#table.add(this, number, request, deadline, executed ? attempt + 1 : attempt);
    this.#jobs.set(number, again);
    this.#ready.push(again);
    this.#handReady();
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
    this.cancel(job.number);
    this.#registration.fail(job.number, failure("DEADLINE"));
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
    this.#places?.detach(job.number);
    this.#places?.resize(this.#free);
  }
}
