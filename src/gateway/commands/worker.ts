import { HeldJobs } from "../../engine/held-jobs.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Route, ServeOptions, Worker } from "../../message/delivery.ts";
import { failure, toFailure, type Failure } from "../../message/failure.ts";
import { nameOf } from "../../message/foreign-name.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import { checkSendable, outcomeOf, type CommandClient, type Reply, type ReplyOwner } from "./client.ts";
import { bodyOf } from "./encode.ts";

/** What a client has announced with `lintel.serve` (C-40). */
export class AnnouncedWorker implements Worker {
  readonly origin: Origin;
  readonly #client: CommandClient;
  /** The key of each job. */
  readonly #jobs: HeldJobs<string>;

  constructor(client: CommandClient, concurrency: number) {
    this.origin = client.origin;
    this.#client = client;
    this.#jobs = new HeldJobs(concurrency);
  }

  get size(): number {
    return this.#jobs.size;
  }

  /** Resolves when requests can arrive. Throws and rejects with why the engine does not take it. */
  join(engine: Engine, pattern: string, options: ServeOptions): Promise<void> {
    const ready = this.#jobs.join(engine.serve(pattern, this, options));
    if (this.#client.isFull) this.pause();
    return ready;
  }

  /** Takes nothing new until `resume`. */
  pause(): void {
    this.#jobs.pause();
  }

  resume(): void {
    this.#jobs.resume();
  }

  /** Resolves when no more can come. What is held may still be answered. */
  leave(): Promise<void> {
    return this.#jobs.leave();
  }

  lose(): void {
    this.#jobs.lose();
  }

  // Worker

  execute(job: number, route: Route, request: Message, timeoutMs: number): void {
    try {
      checkSendable(request);
      const action = nameOf(route.subject);
      const owner = new AnnouncedJob(this, job, action);
      this.#jobs.hold(job, this.#client.ask({ action, body: bodyOf(request), timeoutMs }, owner));
    } catch (error) {
      const why = toFailure(error, failure("BAD_PAYLOAD"));
      discardStreams(request, why);
      this.#jobs.hold(job);
      this.#jobs.fail(job, why);
    }
  }

  cancel(job: number, why: Failure): void {
    const key = this.#jobs.take(job);
    if (key !== undefined) this.#client.forget(key, why);
  }

  /** The client has replied. */
  ended(job: number, reply: Reply): void {
    const outcome = outcomeOf(reply, this.#client.maxPayload);
    if ("answer" in outcome) this.#jobs.reply(job, outcome.answer);
    else this.#jobs.fail(job, outcome.failure);
  }
}

/** A job, waiting for its reply. */
class AnnouncedJob implements ReplyOwner {
  readonly action: string;
  readonly #worker: AnnouncedWorker;
  readonly #job: number;

  constructor(worker: AnnouncedWorker, job: number, action: string) {
    this.#worker = worker;
    this.#job = job;
    this.action = action;
  }

  replied(reply: Reply): void {
    this.#worker.ended(this.#job, reply);
  }

  lost(): void {
    // the worker is lost as a whole
  }
}
