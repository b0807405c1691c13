import type { Engine } from "../engine/engine.ts";
import { defer } from "../runtime/deferred.ts";
import type { Registration, Route, Worker } from "../message/delivery.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import type { Message } from "../message/message.ts";
import type { SharedByStreams } from "../peer/stream/values.ts";
import { discardStreams } from "../stream/stream.ts";
import { Answer, type AnswerOwner } from "./answer.ts";
import { FetchApp } from "./fetch-app.ts";
import { ListenerApp, type App, type OnError } from "./listener-app.ts";
import type { RecognisedApp } from "./recognise.ts";
import { readRequest, type Prefix } from "./request.ts";

export interface HttpServiceOptions {
  /** Queue group; apps with the same subject and queue share its requests. Default: one group for all. */
  readonly queue?: string;
  /** Requests that wait for the beginning of their answer at a time; more wait at the hub. Default 256. */
  readonly concurrency?: number;
  /**
   * What happens to the path under which a route has the app. `strip`: the app sees the rest, and finds the path in
   * `X-Forwarded-Prefix`, and `req.baseUrl` and `req.originalUrl` where it is a Node listener. `keep`: it sees the whole.
   * Default `strip`.
   */
  readonly prefix?: Prefix;
  /** Answers under way have this long to come to their ends when the service is closed. Milliseconds. Default 5,000. */
  readonly graceMs?: number;
  /** Called with what the app throws. Default: stderr. */
  readonly onError?: OnError;
}

const GRACE_MS = 5_000;

/** A web app behind a subject. */
export class HttpService implements Worker, AnswerOwner, AsyncDisposable {
  readonly subject: string;
  readonly streams: SharedByStreams;
  readonly #app: App;
  readonly #prefix: Prefix;
  readonly #graceMs: number;
  readonly #onError: OnError;
  readonly #registration: Registration;
  /** By job, and of them those that the hub still waits for. */
  readonly #answers = new Map<number, Answer>();
  readonly #over = defer();
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** `streams` is what those of the service's peer share. */
  constructor(
    engine: Engine,
    streams: SharedByStreams,
    subject: string,
    app: RecognisedApp,
    options: HttpServiceOptions,
  ) {
    const { queue, concurrency, prefix = "strip", graceMs = GRACE_MS, onError = reportToStderr } = options;
    this.subject = subject;
    this.streams = streams;
    this.#prefix = prefix;
    this.#graceMs = graceMs;
    this.#onError = onError;
    const report: OnError = (error, where) => onError(error, `${where} ${subject}`);
    this.#app =
      "listener" in app
        ? new ListenerApp(app.listener, streams, report)
        : new FetchApp(app.fetch, streams, report);
    this.#over.promise.catch(() => undefined); // code that needs to know uses `closed`
    const onEnded = (why: Failure): void => this.#over.reject(LintelError.from(why));
    this.#registration = engine.serve(subject, this, { queue, concurrency, onEnded });
  }

  /** Resolves when requests can come; rejects when the hub refuses. */
  get ready(): Promise<void> {
    return this.#registration.ready;
  }

  /** Resolves when the service has ended; rejects with the reason when the hub takes it no longer. */
  get closed(): Promise<void> {
    return this.#over.promise;
  }

  /** Takes no more requests, and resolves when those in hand are answered; what takes longer than `graceMs` is cut off. */
  close(): Promise<void> {
    this.#closing ??= this.#leave();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // Worker

  execute(job: number, _route: Route, message: Message): void {
    const request = readRequest(message, this.#prefix);
    if ("code" in request) {
      discardStreams(message, request);
      this.fail(job, request);
      return;
    }
    const answer = new Answer(job, this);
    this.#answers.set(job, answer);
    try {
      this.#app.begin(request, answer);
    } catch (error) {
      this.#onError(error, `the app ${this.subject}`);
      answer.fail(failure("HANDLER_FAILED"));
    }
  }

  cancel(job: number, why: Failure): void {
    const answer = this.#answers.get(job);
    if (answer?.state === "open") answer.gone(why);
  }

  // AnswerOwner

  reply(job: number, message: Message): boolean {
    message.onUnsent = this.unsent;
    return this.#registration.reply(job, message);
  }

  fail(job: number, why: Failure): boolean {
    return this.#registration.fail(job, why);
  }

  readonly unsent = (error: unknown): void => this.#onError(error, `the answer of the app ${this.subject}`);

  over({ job }: Answer): void {
    this.#answers.delete(job);
    if (this.#answers.size === 0) this.#onIdle?.();
  }

  async #leave(): Promise<void> {
    await this.#registration.leave();
    if (this.#answers.size > 0) {
      const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
      const timer = setTimeout(() => {
        for (const answer of [...this.#answers.values()]) answer.fail(failure("DRAINING"));
      }, this.#graceMs);
      await idle;
      clearTimeout(timer);
    }
    this.#app.close();
    this.#over.resolve();
  }
}

function reportToStderr(error: unknown, where: string): void {
  console.error(`lintel: ${where} failed:`, error);
}
