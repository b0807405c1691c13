import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { Admitted } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import { MAX_TIMEOUT } from "../../message/limits.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import type { SharedBound } from "../../collections/shared-bound.ts";
import { isPattern, isSubject } from "../../message/subject.ts";
import { answerOf, failureOf, sentFailure } from "./decode.ts";
import type { GrpcCall, GrpcCallEvents } from "./call.ts";
import { checkFieldCount } from "./field-count.ts";
import {
  FromHubSchema,
  FromWorkerSchema,
  type Answer,
  type FromWorker,
  type Register,
} from "./generated/lintel/v1/worker_pb.ts";
import { GrpcWorker, type Room, type WorkerOwner } from "./worker.ts";
import { jobOf, type Handed } from "./encode.ts";
import type { GrpcLimits } from "./options.ts";
import type { GrpcStats } from "./stats.ts";
import { Watchdog } from "../../runtime/watchdog.ts";

type Sent = Exclude<NonNullable<MessageInitShape<typeof FromHubSchema>["message"]>, { case: undefined }>;

/** What all calls of a gateway share. */
export interface GrpcContext {
  readonly engine: Engine;
  readonly limits: GrpcLimits;
  /** Why nothing new is taken. */
  readonly refusal: Failure | undefined;
  readonly counters: GrpcStats;
  /** Registrations of all workers, by their callers. */
  readonly registrations: SharedBound;
}

const HEARTBEAT: Sent = { case: "heartbeat", value: {} };
const MALFORMED: ReadonlySet<string> = new Set(["BAD_FRAME", "TOO_LARGE"]);

/** One worker: a call of `lintel.v1.Worker/Work`, with its registrations and the jobs that it holds. */
export class WorkerConnection implements GrpcCallEvents, WorkerOwner {
  readonly #call: GrpcCall;
  readonly #site: GrpcContext;
  readonly origin: Origin;
  /** The principal at the other end. */
  readonly #admitted: Admitted;
  #unwatch: (() => void) | undefined;
  /** The caller that its registrations count for. */
  readonly #caller: string;
  readonly #onOver: () => void;
  readonly #watch: Watchdog;
  readonly #workers = new Map<number, GrpcWorker>();
  /** The worker that holds a job, by the engine's number of the job. */
  readonly #jobs = new Map<number, GrpcWorker>();
  #isOver = false;

  /** `onOver` is called once, when the call is closed. */
  constructor(call: GrpcCall, site: GrpcContext, admitted: Admitted, caller: string, onOver: () => void) {
    this.#admitted = admitted;
    this.#call = call;
    this.#site = site;
    this.#caller = caller;
    this.origin = { gateway: "grpc", remote: caller, principal: admitted.principal };
    this.#onOver = onOver;
    this.#watch = new Watchdog(site.engine.clock, () =>
      this.end(failure("HEARTBEAT_LOST", "the worker missed the heartbeat that it had announced")),
    );
  }

  open(): void {
    this.#call.open(this);
    this.#unwatch = this.#admitted.watch((why) => this.end(why)); // W-8
  }

  goaway(why: Failure): void {
    this.#send({ case: "goaway", value: { failure: sentFailure(why) } });
  }

  /** Ends the call, with OK when there is no failure. The worker is lost (W-2). */
  end(why?: Failure): void {
    if (why !== undefined && MALFORMED.has(why.reason)) this.#site.counters.malformed++;
    this.#call.end(why);
    this.#lose();
  }

  // CallEvents

  message(bytes: Uint8Array): void {
    this.#watch.heard();
    let said: FromWorker;
    try {
      checkFieldCount(bytes);
      said = fromBinary(FromWorkerSchema, bytes, { readUnknownFields: false });
    } catch (error) {
      return this.end(failure("BAD_FRAME", `not a FromWorker: ${(error as Error).message}`)); // W-4
    }
    return this.#take(said.message);
  }

  finished(): void {
    this.end(); // W-2, W-3
  }

  failed(why: Failure): void {
    this.end(why);
  }

  drained(): void {
    for (const worker of this.#workers.values()) {
      if (this.#call.isFull) return;
      worker.resume();
    }
  }

  closed(): void {
    this.#lose();
    this.#onOver();
  }

  // WorkerLink

  get isFull(): boolean {
    return this.#call.isFull;
  }

  sendJob(worker: GrpcWorker, handed: Handed, request: Message): void {
    const bytes = toBinary(FromHubSchema, jobOf(handed, request));
    this.#jobs.set(handed.job, worker);
    this.#site.counters.jobs++;
    this.#write(bytes);
  }

  sendCancel(job: number, why: Failure): void {
    if (this.#forget(job)) this.#send({ case: "cancel", value: { job, failure: sentFailure(why) } });
  }

  refused(worker: GrpcWorker, why: Failure): void {
    if (this.#workers.get(worker.number) !== worker) return;
    this.#remove(worker);
    this.#refuse(worker.number, why);
  }

  gone(worker: GrpcWorker): void {
    if (this.#workers.get(worker.number) === worker) this.#remove(worker);
  }

  // What a worker says

  #take(said: FromWorker["message"]): void {
    switch (said.case) {
      case "register":
        return this.#register(said.value);
      case "credit":
        return this.#grant(said.value.registration, said.value.jobs);
      case "answer":
        return this.#answer(said.value);
      case "failed":
        return this.#end(said.value.job, (worker) =>
          worker.fail(said.value.job, failureOf(said.value.failure)),
        );
      case "leave":
        return this.#leave(said.value.registration);
      case "heartbeat":
        this.#watch.promise(Math.min(said.value.withinMs, MAX_TIMEOUT));
        return this.#send(HEARTBEAT); // W-80
      case undefined:
        return undefined; // W-7
    }
  }

  #register({ registration: number, subject: pattern, queue, room }: Register): void {
    if (this.#workers.has(number)) {
      const why = failureFor("already_exists", `registration ${number} already exists`);
      return this.#reject({ case: "registration", value: number }, why); // W-11
    }
    const { engine } = this.#admitted;
    const objection = this.#objection(pattern, queue);
    if (objection !== undefined) return this.#refuse(number, objection); // W-12
    const asked = { number, pattern, queue, room: this.#roomOf(room) };
    const worker = new GrpcWorker(this, asked);
    this.#workers.set(number, worker);
    this.#site.registrations.take(this.#caller, 1);
    const refuse = (error: unknown): void => this.refused(worker, toFailure(error));
    try {
      worker.join(engine, asked).then(() => {
        if (this.#workers.get(number) === worker)
          this.#send({ case: "registered", value: { registration: number } });
      }, refuse);
    } catch (error) {
      refuse(error);
    }
    return undefined;
  }

  #objection(pattern: string, queue: string): Failure | undefined {
    const { limits, refusal } = this.#site;
    if (refusal !== undefined) return refusal;
    if (!isPattern(pattern)) return failure("BAD_SUBJECT");
    if (queue !== "" && !isSubject(queue)) return failure("BAD_SUBJECT", "not a legal queue name");
    if (this.#workers.size >= limits.registrations)
      return failure("TOO_MANY", `more than ${limits.registrations} registrations`);
    if (this.#site.registrations.hasRoomFor(this.#caller, 1)) return undefined;
    return failure("TOO_MANY", "the workers of this caller have too many registrations");
  }

  #roomOf(room: Register["room"]): Room {
    const { concurrency } = this.#site.limits;
    if (room.case === "credit") return { credit: room.value };
    return { concurrency: room.value || concurrency };
  }

  #grant(registration: number, jobs: number): void {
    const worker = this.#workers.get(registration);
    if (worker === undefined) return this.#unknown(registration);
    if (worker.grant(jobs)) return undefined;
    const why = failureFor("failed_precondition", `registration ${registration} has concurrency, not credit`);
    return this.#reject({ case: "registration", value: registration }, why); // W-21
  }

  #leave(registration: number): void {
    const worker = this.#workers.get(registration);
    if (worker === undefined) return this.#unknown(registration);
    void worker.leave().then(() => this.#send({ case: "left", value: { registration } }));
    return undefined;
  }

  #unknown(registration: number): void {
    const why = failureFor("not_found", `there is no registration ${registration}`);
    this.#reject({ case: "registration", value: registration }, why);
  }

  #answer(answer: Answer): void {
    this.#end(answer.job, (worker) => {
      let message: Message;
      try {
        message = answerOf(answer, this.#site.limits);
      } catch (error) {
        const why = toFailure(error);
        this.#rejectJob(answer.job, why); // W-51
        return worker.fail(
          answer.job,
          failure("BAD_ANSWER", `the worker's answer cannot be sent: ${why.message}`),
        );
      }
      message.onUnsent = (error) => this.#rejectJob(answer.job, toFailure(error)); // W-51
      return worker.reply(answer.job, message);
    });
  }

  /** Ends a job, if it is held. */
  #end(job: number, by: (worker: GrpcWorker) => void): void {
    const worker = this.#jobs.get(job);
    if (worker !== undefined && this.#forget(job)) return by(worker);
    return this.#rejectJob(job, failure("NO_SUCH_JOB", `this worker does not hold job ${job} (any longer)`)); // W-50
  }

  #forget(job: number): boolean {
    if (!this.#jobs.delete(job)) return false;
    this.#site.counters.jobs--;
    return true;
  }

  // What is sent

  #refuse(registration: number, why: Failure): void {
    this.#site.counters.refused++;
    this.#send({ case: "refused", value: { registration, failure: sentFailure(why) } });
  }

  #rejectJob(job: number, why: Failure): void {
    this.#site.counters.rejected++;
    this.#reject({ case: "job", value: job }, why);
  }

  #reject(about: { case: "job" | "registration"; value: number }, why: Failure): void {
    this.#send({ case: "rejected", value: { about, failure: sentFailure(why) } });
  }

  #send(message: Sent): void {
    this.#write(toBinary(FromHubSchema, create(FromHubSchema, { message })));
  }

  #write(bytes: Uint8Array): void {
    const wasFull = this.#call.isFull;
    this.#call.send(bytes);
    if (!wasFull && this.#call.isFull) for (const worker of this.#workers.values()) worker.pause(); // W-41
  }

  #remove({ number }: GrpcWorker): void {
    this.#workers.delete(number);
    this.#site.registrations.give(this.#caller, 1);
  }

  #lose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watch.stop();
    this.#unwatch?.();
    const workers = [...this.#workers.values()];
    this.#workers.clear();
    this.#site.registrations.give(this.#caller, workers.length);
    this.#site.counters.jobs -= this.#jobs.size;
    this.#jobs.clear();
    for (const worker of workers) worker.lose();
  }
}

function failureFor(code: "already_exists" | "not_found" | "failed_precondition", message: string): Failure {
  return new LintelError(code, message).toFailure();
}
