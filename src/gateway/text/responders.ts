/** The targets that one connection responds to: EREQ, the REQ it gets, and the RES it sends. */
import { HeldJobs } from "../../engine/held-jobs.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Route, Worker } from "../../message/delivery.ts";
import { failure, toFailure, type Failure } from "../../message/failure.ts";
import { nameOf } from "../../message/foreign-name.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { discardStreams } from "../../stream/stream.ts";
import { frameOf } from "../../text/message.ts";
import { bodyOf, frameFor, saidIn, senderLines } from "./encode.ts";
import type { TextOutlet } from "./outlet.ts";
import type { TextTenant } from "./tenant.ts";

export interface RespondersOwner {
  readonly tenant: TextTenant;
  readonly outlet: TextOutlet;
  readonly origin: Origin;
}

export interface ResponderOptions {
  readonly concurrency: number;
  /** It wants to hear of requests that were canceled, and of deadlines. */
  readonly hearsCancels: boolean;
  /** Requests can arrive. */
  readonly onReady: () => void;
  /** The engine does not take it, or takes it no longer. */
  readonly onEnded: (why: Failure) => void;
}

const UTF8_ONLY = Object.freeze(
  failure("BAD_PAYLOAD", "the request is not UTF-8, and its responder takes only text"),
);

export class TextResponders {
  readonly #owner: RespondersOwner;
  readonly #bySubject = new Map<string, Responder>();
  /** The jobs that were given out, by the number that the RES must name. */
  readonly #held: HeldByNumber = new Map();

  constructor(owner: RespondersOwner) {
    this.#owner = owner;
  }

  get size(): number {
    return this.#bySubject.size;
  }

  has(subject: string): boolean {
    return this.#bySubject.has(subject);
  }

  /** Throws what `serve` of an engine throws. */
  add(subject: string, engine: Engine, options: ResponderOptions): void {
    const ended = (why: Failure): void => {
      if (!this.#bySubject.delete(subject)) return;
      options.onEnded(why);
    };
    const ready = (): void => {
      if (this.#bySubject.get(subject) === responder) options.onReady();
    };
    const responder = new Responder(subject, this.#owner, this.#held, options);
    const joined = responder.join(engine, options.concurrency, ended);
    this.#bySubject.set(subject, responder);
    joined.then(ready, (error: unknown) => ended(toFailure(error)));
  }

  /** True for the number of a job that this connection has, and has not answered. */
  holds(job: number): boolean {
    return this.#held.has(job);
  }

  /** Answers a job that it holds. */
  reply(job: number, message: Message): void {
    const responder = this.#held.get(job);
    this.#held.delete(job);
    responder?.reply(job, message);
  }

  /** Fails one. */
  fail(job: number, why: Failure): void {
    const responder = this.#held.get(job);
    this.#held.delete(job);
    responder?.fail(job, why);
  }

  /** The connection reads again, or not. */
  pressure(isFull: boolean): void {
    for (const responder of this.#bySubject.values()) {
      if (isFull) responder.pause();
      else responder.resume();
    }
  }

  /** The connection is over: one of them is lost, with the jobs it holds; false when it was the last. */
  loseOne(): boolean {
    this.#held.clear();
    for (const [subject, responder] of this.#bySubject) {
      this.#bySubject.delete(subject);
      responder.lose();
      break;
    }
    return this.#bySubject.size > 0;
  }
}

type HeldByNumber = Map<number, Responder>;

class Responder implements Worker {
  readonly origin: Origin;
  readonly #subject: string;
  readonly #target: string;
  readonly #firstLine: string;
  readonly #owner: RespondersOwner;
  readonly #held: HeldByNumber;
  readonly #hearsCancels: boolean;
  readonly #jobs: HeldJobs;

  constructor(
    subject: string,
    owner: RespondersOwner,
    held: HeldByNumber,
    { concurrency, hearsCancels }: ResponderOptions,
  ) {
    this.origin = owner.origin;
    this.#subject = subject;
    this.#target = nameOf(subject);
    this.#firstLine = `REQ ${this.#target}\r\n`;
    this.#owner = owner;
    this.#held = held;
    this.#hearsCancels = hearsCancels;
    this.#jobs = new HeldJobs(concurrency);
  }

  join(engine: Engine, concurrency: number, onEnded: (why: Failure) => void): Promise<void> {
    if (this.#owner.outlet.isFull) this.#jobs.pause();
    return this.#jobs.join(engine.serve(this.#subject, this, { concurrency, onEnded }));
  }

  pause(): void {
    this.#jobs.pause();
  }

  resume(): void {
    this.#jobs.resume();
  }

  lose(): void {
    this.#jobs.lose();
  }

  reply(job: number, answer: Message): void {
    this.#jobs.reply(job, answer);
  }

  fail(job: number, why: Failure): void {
    this.#jobs.fail(job, why);
  }

  // Worker

  execute(job: number, _route: Route, request: Message, timeoutMs: number): void {
    this.#jobs.hold(job);
    const { outlet, tenant } = this.#owner;
    let frame: string;
    try {
      const deadline = this.#hearsCancels ? `timeout:${Math.ceil(timeoutMs)}ms\r\n` : "";
      const ids = `rid:${job}\r\n${deadline}`;
      frame = frameFor(this.#firstLine, ids, saidIn(request, tenant.isBehind), bodyOf(request));
    } catch (error) {
      const why = toFailure(error, UTF8_ONLY);
      discardStreams(request, why);
      this.#jobs.fail(job, why);
      return;
    }
    this.#held.set(job, this);
    outlet.send(frame);
    // What a connection here has sent was copied when it came.
    if (!tenant.observers.isEmpty && request.text === undefined) tenant.observers.copy(this.#subject, frame);
  }

  cancel(job: number, why: Failure): void {
    this.#jobs.canceled();
    if (!this.#held.delete(job) || !this.#hearsCancels) return;
    const lines = `rid:${job}\r\ncode:${why.code}\r\nreason:${why.reason}\r\n${senderLines({ cid: "", uid: "" })}`;
    this.#owner.outlet.send(frameOf("PUB CANCEL\r\n", lines, this.#target));
  }
}
