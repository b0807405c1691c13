import type { Principal } from "../../access/access.ts";
import type { Admitted } from "../../access/admission.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import { answerFailure } from "../../message/unsent.ts";

/**
 * A request in the hands of a worker that polls: one handing-out of it, with an id of its own. A request that is handed
 * out again is another job.
 *
 * | state     | meaning                                                  | next                       |
 * |-----------|----------------------------------------------------------|----------------------------|
 * | ready     | no poll was there to take it                             | offered, withdrawn         |
 * | offered   | in a response that the connection has not taken yet      | leased, and as leased      |
 * | leased    | a worker has it, until its lease ends                    | all below                  |
 * | answered  | by its worker                                            |                            |
 * | failed    | its worker said that it failed                           |                            |
 * | released  | its worker gave it back                                  |                            |
 * | returned  | the connection of its worker ended before it took it all |                            |
 * | expired   | its lease ran out                                        |                            |
 * | withdrawn | the caller left, or the deadline passed                  |                            |
 *
 * The last six are ends. The id of a job that has ended is remembered for a while.
 */
export type JobState =
  | "ready"
  | "offered"
  | "leased"
  | "answered"
  | "failed"
  | "released"
  | "returned"
  | "expired"
  | "withdrawn";

/** How a job may end. */
export type JobEnd = Exclude<JobState, "ready" | "offered" | "leased">;

const ENDS: readonly JobEnd[] = ["answered", "failed", "released", "returned", "expired", "withdrawn"];

/** Where a job may go from each state. */
export const NEXT_STATES: Readonly<Record<JobState, readonly JobState[]>> = {
  ready: ["offered", "withdrawn"],
  offered: ["leased", ...ENDS],
  leased: ENDS,
  answered: [],
  failed: [],
  released: [],
  returned: [],
  expired: [],
  withdrawn: [],
};

/** The owner of a job, which handed it out and ends it. */
export interface JobOwner {
  readonly subject: string;
  /** Answers a job that is out. False when the engine waits for it no longer. */
  answer(job: Job, answer: Message): boolean;
  /** Fails a job that is out. False as for `answer`. */
  fail(job: Job, why: Failure): boolean;
  /** Takes back a job that is out and that its worker does not want. */
  release(job: Job): void;
  /** Lets a job that is out last so long from now, unless it lasts longer anyway. */
  extend(job: Job, leaseMs: number): void;
  /** Takes back a job that cannot have reached its worker. */
  lost(job: Job): void;
  /** The lease of the job has run out. */
  expired(job: Job): void;
}

export interface Job {
  /** Cannot be guessed: only the worker that got the job knows it. */
  readonly id: string;
  readonly owner: JobOwner;
  /** The engine's number for it. */
  readonly number: number;
  /** Times the request has been handed out, this one included. */
  readonly attempt: number;
  /** When its request expires, by the clock. */
  readonly deadline: number;
  state: JobState;
  /** Undefined once it has ended. */
  request: Message | undefined;
  /** Whose worker has it, and may answer it. Undefined until it was given to one. */
  holder: Principal | undefined;
  /** The same, while it is out. */
  admitted: Admitted | undefined;
  /** When its lease ends, by the clock; never after the deadline. */
  leaseEnds: number;
  /** Number of its lease in the table, 0 when it has none. */
  lease: number;
}

/** True while a worker may answer it. */
export function isOut(job: Job): boolean {
  return job.state === "offered" || job.state === "leased";
}

/**
 * Answers a job that is out. Returns why the worker's call has failed: the answer is no longer wanted, or cannot be sent to
 * the caller, which then gets `BAD_ANSWER`. For the worker that is a mistake in its call.
 */
export function answerJob(job: Job, answer: Message): Failure | undefined {
  let unsent: Failure | undefined;
  answer.onUnsent = (error) => {
    const { message } = answerFailure(error);
    unsent = { code: "invalid_argument", reason: "BAD_ANSWER", message, retryable: false };
  };
  return job.owner.answer(job, answer) ? unsent : failure("JOB_WITHDRAWN");
}

/** Fails a job that is out. Returns as `answerJob` does. */
export function failJob(job: Job, why: Failure): Failure | undefined {
  return job.owner.fail(job, why) ? undefined : failure("JOB_WITHDRAWN");
}
