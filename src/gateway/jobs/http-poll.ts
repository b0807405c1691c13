import type { Pending, DeadlineTable } from "../../collections/deadline-table.ts";
import type { Clock } from "../../runtime/clock.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { SharedBound } from "../../collections/shared-bound.ts";
import type { Delivery, HttpCall } from "../http-api.ts";
import { oneJob, severalJobs } from "./encode.ts";
import { isOut, type Job } from "./job.ts";
import type { PollOptions } from "./poll-options.ts";
import type { Poll, PullWorker } from "./worker.ts";

/** A poll's place among those that wait, until its time is up. */
export interface Wait extends Pending {
  poll: HttpPoll | undefined;
}

/** What polls have in common. */
export interface PollHost {
  readonly clock: Clock;
  readonly waits: DeadlineTable<Wait>;
  /** How many may wait. */
  readonly polls: SharedBound;
  /** Why polls are not to wait, if they are not. */
  refusal(): Failure | undefined;
  /** Calls the poll's `send` at the end of the next turn of the loop. */
  due(poll: HttpPoll): void;
}

const NO_JOB = Object.freeze(failure("REQUEST_TIMEOUT", "no job arrived while this poll waited; poll again"));

/** A poll takes no more jobs when those it has come to so many bytes. */
const ENOUGH_BYTES = 4_194_304;

/**
 * A worker's request for jobs, by a call of its own or with the answer to the job before.
 *
 * | state   | meaning                                             | next                                          |
 * |---------|-----------------------------------------------------|-----------------------------------------------|
 * | waiting | it has no job                                       | due, over (time is up, caller gone, refused)  |
 * | due     | it has jobs, which go out at the end of the next turn | over, waiting (all of them were withdrawn)    |
 * | over    | answered, or the worker has left                    |                                               |
 */
export class HttpPoll implements Poll, Delivery {
  room: number;
  readonly leaseMs: number | undefined;
  state: "waiting" | "due" | "over" = "waiting";
  readonly #host: PollHost;
  readonly #service: PullWorker;
  readonly #call: HttpCall;
  readonly #options: PollOptions;
  #jobs: Job[] = [];
  #bytes = 0;
  #wait = 0;

  constructor(host: PollHost, service: PullWorker, call: HttpCall, options: PollOptions) {
    this.#host = host;
    this.#service = service;
    this.#call = call;
    this.#options = options;
    this.leaseMs = options.leaseMs;
    this.room = options.max ?? 1;
  }

  /** Begins to wait. False, with nothing done, when too many wait already, of this caller or in all. */
  begin(): boolean {
    const { waitMs } = this.#options;
    if (!this.#host.polls.take(this.#call.caller, 1)) return false;
    const wait = this.#host.waits.add(this.#host.clock.now() + waitMs)!;
    wait.poll = this;
    this.#wait = wait.id;
    this.#call.onGone = () => this.#gone();
    this.#call.onChanged = () => this.#changed();
    if (this.#call.isOpen) this.#service.open(this);
    if (waitMs === 0) this.timeUp();
    this.#checkRefusal();
    return true;
  }

  take(job: Job): void {
    const { payloadStart, end } = job.request!;
    job.holder = this.#call.admitted.principal;
    job.admitted = this.#call.admitted;
    this.#jobs.push(job);
    this.#bytes += end - payloadStart;
    this.room = this.#bytes >= ENOUGH_BYTES ? 0 : this.room - 1;
    if (this.state !== "waiting") return;
    this.state = "due";
    this.#host.due(this);
  }

  /** Sends what it has. By now the connections that had ended when it got it are known. */
  send(): void {
    if (this.state !== "due") return;
    this.#service.close(this);
    this.#jobs = this.#jobs.filter(isOut); // the others' callers have left since
    if (this.#jobs.length === 0) return this.#waitOn();
    this.#end();
    if (!this.#call.isOpen) {
      this.lost();
      return answerNone(this.#call); // of no use to the worker, but what is to go out behind it can go out
    }
    const { form, max } = this.#options;
    const now = this.#host.clock.now();
    const { subject } = this.#service;
    const { headers, body } =
      max === undefined
        ? oneJob(form, this.#jobs[0]!, subject, now)
        : severalJobs(form, this.#jobs, subject, now);
    headers.push("Cache-Control", "no-store");
    this.#call.answer(200, headers, body, this);
  }

  /** It has waited long enough. */
  timeUp(): void {
    if (this.state !== "waiting") return; // it has something, which goes out
    this.#service.close(this);
    this.#end();
    if (this.#options.retriesOnErrors) this.#call.problem(NO_JOB);
    else answerNone(this.#call);
  }

  /** Ends it if its worker's credentials are no longer good: what it has been given, and not sent, goes to others. */
  endRevoked(): void {
    const { ended } = this.#call.admitted;
    if (ended === undefined || this.state === "over") return;
    this.#service.close(this);
    this.lost();
    this.#jobs = [];
    this.state = "waiting";
    this.refuse(ended);
  }

  refuse(why: Failure): void {
    if (this.state !== "waiting") return;
    if (this.#options.isNext) return this.timeUp(); // it polls again by itself, and is told then
    this.#service.close(this);
    this.#end();
    this.#call.problem(why);
  }

  taken(): void {
    for (const job of this.#jobs) this.#service.taken(job);
  }

  lost(): void {
    for (const job of this.#jobs) if (isOut(job)) this.#service.lost(job);
  }

  /** The worker has left. */
  #gone(): void {
    if (this.state === "over") return;
    this.#service.close(this);
    this.#end();
    this.lost();
  }

  /** Its worker may have left, and gets no job then; or it is known not to have. */
  #changed(): void {
    if (this.state === "over") return;
    this.#service.close(this);
    this.lost(); // what was given to it, and not sent
    this.#waitOn();
  }

  #waitOn(): void {
    this.state = "waiting";
    this.#jobs = [];
    this.#bytes = 0;
    this.room = this.#options.max ?? 1;
    if (this.#host.waits.get(this.#wait) === undefined) return this.timeUp(); // its time is up meanwhile
    if (this.#call.isOpen) this.#service.open(this);
    this.#checkRefusal();
  }

  /** What was there it has been given by now: it is to wait, if that may be. */
  #checkRefusal(): void {
    const refusal = this.#host.refusal();
    if (refusal !== undefined) this.refuse(refusal);
  }

  #end(): void {
    this.state = "over";
    this.#host.polls.give(this.#call.caller, 1);
    const wait = this.#host.waits.get(this.#wait);
    if (wait === undefined) return;
    wait.poll = undefined;
    this.#host.waits.release(wait);
  }
}

/** There is no job. */
export function answerNone(call: HttpCall): void {
  call.answer(204, ["Cache-Control", "no-store"]);
}
