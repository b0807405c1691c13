import { HeldJobs } from "../../engine/held-jobs.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Route, Worker } from "../../message/delivery.ts";
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import type { Handed } from "./encode.ts";

/** How much a registration takes: so many at a time, or so many and then none until there is more credit. */
export type Room = { readonly concurrency: number } | { credit: number };

export interface Asked {
  /** The number the worker gave it. */
  readonly number: number;
  readonly pattern: string;
  readonly queue: string;
  readonly room: Room;
}

/** The call that a registration belongs to. */
export interface WorkerOwner {
  /** Where the worker is, for observers. */
  readonly origin: Origin;
  /** True while the worker is behind with reading. */
  readonly isFull: boolean;
  /** Sends a job. Throws what cannot be encoded; then nothing was sent. */
  sendJob(worker: GrpcWorker, handed: Handed, request: Message): void;
  sendCancel(job: number, why: Failure): void;
  /** The engine has ended the registration, or did not take it. */
  refused(worker: GrpcWorker, why: Failure): void;
  /** It has left, and its last job has ended. */
  gone(worker: GrpcWorker): void;
}

const BEHIND = Object.freeze(failure("QUEUE_FULL", "the worker does not read its jobs fast enough"));
/** Requests at a time, where nothing else bounds them. */
const MAX_PLACES = 1_000_000_000;

/** A registration of a worker, as the engine sees it. The engine's job numbers go over the wire as they are. */
export class GrpcWorker implements Worker {
  readonly number: number;
  readonly origin: Origin;
  readonly #link: WorkerOwner;
  readonly #room: Room;
  readonly #jobs: HeldJobs;

  constructor(link: WorkerOwner, { number, room }: Asked) {
    this.number = number;
    this.origin = link.origin;
    this.#link = link;
    this.#room = room;
    this.#jobs = new HeldJobs(this.#placesFor(0), () => link.gone(this));
  }

  /** Resolves when requests can arrive. Throws and rejects with why the engine does not take it. */
  join(engine: Engine, { pattern, queue }: Asked): Promise<void> {
    if ("credit" in this.#room && !engine.supports.capacity)
      throw LintelError.of(
        "OPTION_UNSUPPORTED",
        "this hub's engine does not support credit; use concurrency instead",
      );
    const onEnded = (why: Failure): void => this.#link.refused(this, why);
    const places = this.#placesFor(0);
    const concurrency = Math.max(1, places);
    const ready = this.#jobs.join(engine.serve(pattern, this, { queue, concurrency, onEnded }));
    if (concurrency !== places) this.#jobs.resize(places);
    if (this.#link.isFull) this.pause();
    return ready;
  }

  /** More room, W-20. False when it has no credit to add to. */
  grant(jobs: number): boolean {
    if (!("credit" in this.#room)) return false;
    this.#room.credit = Math.min(MAX_PLACES, this.#room.credit + jobs);
    this.#jobs.resize(this.#placesFor(this.#jobs.size));
    return true;
  }

  /** Takes nothing until `resume`. */
  pause(): void {
    this.#jobs.pause();
  }

  resume(): void {
    this.#jobs.resume();
  }

  /** Resolves when the engine hands it nothing new any more. */
  leave(): Promise<void> {
    return this.#jobs.leave();
  }

  /** Jobs that are held fail as `WORKER_LOST`. */
  lose(): void {
    this.#jobs.lose();
  }

  reply(job: number, answer: Message): void {
    this.#ending();
    this.#jobs.reply(job, answer);
  }

  fail(job: number, why: Failure): void {
    this.#ending();
    this.#jobs.fail(job, why);
  }

  // Worker

  execute(
    job: number,
    route: Route,
    request: Message,
    timeoutMs: number,
    _now: number,
    attempt: number,
  ): void {
    this.#jobs.hold(job);
    if ("credit" in this.#room) this.#room.credit--;
    if (request.streams !== undefined) {
      discardStreams(request, failure("STREAMS_UNSUPPORTED"));
      return this.#refuse(job, failure("STREAMS_UNSUPPORTED")); // W-42
    }
    if (this.#jobs.isPaused) return this.#refuse(job, BEHIND); // only by an engine that cannot be told to wait
    try {
      this.#link.sendJob(this, { job, registration: this.number, route, timeoutMs, attempt }, request);
    } catch (error) {
      return this.#refuse(job, toFailure(error, failure("BAD_PAYLOAD")));
    }
    return undefined;
  }

  cancel(job: number, why: Failure): void {
    this.#ending();
    this.#link.sendCancel(job, why);
    this.#jobs.canceled();
  }

  /** How much it takes at a time while it holds so many. */
  #placesFor(held: number): number {
    return "credit" in this.#room ? held + Math.max(0, this.#room.credit) : this.#room.concurrency;
  }

  /** Fails a job that was not sent, and so used nothing up. */
  #refuse(job: number, why: Failure): void {
    if ("credit" in this.#room) this.#room.credit++;
    this.fail(job, why);
  }

  /** A job is about to end. The place that it frees is one that credit has been used up for. */
  #ending(): void {
    if ("credit" in this.#room) this.#jobs.resize(this.#placesFor(this.#jobs.size - 1));
  }
}
