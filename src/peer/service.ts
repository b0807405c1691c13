import type { Engine } from "../engine/engine.ts";
import { HeldJobs } from "../engine/held-jobs.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Registration, Route, Worker } from "../message/delivery.ts";
import { defer } from "../runtime/deferred.ts";
import { DeclaredLength } from "../message/declared-length.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import { findHeader } from "../message/headers.ts";
import { Format, Message } from "../message/message.ts";
import { discardStreams } from "../stream/stream.ts";
import { answerFailure } from "../message/unsent.ts";
import { Context, type Carriage } from "./context.ts";
import type { Handler, ServeOptions, Service } from "./peer.ts";
import { Channel } from "./stream/channel.ts";
import { ACCEPTED_LINE, Opening, opensChannel } from "./stream/opening.ts";
import { containsStream, type StreamValues } from "./stream/stream-values.ts";

/** What a peer tells of errors that have nowhere else to go. */
export type OnError = (error: unknown, where: string) => void;

const NO_BYTES = new Uint8Array(0);

/** Runs a handler for the requests of one subject or pattern. */
export class HandlerService implements Service, Worker {
  readonly subject: string;
  readonly #handler: Handler;
  readonly #onError: OnError;
  readonly #values: StreamValues;
  readonly #clock: Clock;
  readonly #isRaw: boolean;
  readonly #registration: Registration;
  /** Requests whose handler has not come to its end at once. */
  readonly #jobs = new HeldJobs<Context>(Infinity, () => this.#gone.resolve());
  readonly #gone = defer();
  readonly #over = defer();
  /** The subject of the request that is being answered. */
  #answering = "";
  readonly #onUnsent = (error: unknown): void => this.#unsent(this.#answering, error);

  constructor(
    engine: Engine,
    subject: string,
    handler: Handler,
    options: ServeOptions,
    onError: OnError,
    values: StreamValues,
  ) {
    this.subject = subject;
    this.#handler = handler;
    this.#onError = onError;
    this.#values = values;
    this.#clock = engine.clock;
    this.#over.promise.catch(() => undefined); // code that needs to know uses `closed`, and onError is told
    const { queue, concurrency, raw = false } = options;
    this.#isRaw = raw;
    const onEnded = (why: Failure): void => this.#ended(why);
    this.#registration = engine.serve(subject, this, { queue, concurrency, onEnded });
    void this.#jobs.join(this.#registration);
  }

  /** Resolves when requests can arrive. */
  get ready(): Promise<void> {
    return this.#registration.ready;
  }

  get closed(): Promise<void> {
    return this.#over.promise;
  }

  /** Its peer has been closed. */
  end(): void {
    this.#over.resolve();
  }

  execute(job: number, route: Route, request: Message, timeoutMs: number, now: number): void {
    const expires = now + timeoutMs;
    if (request.streams !== undefined) return this.#executeWithStreams(job, route, request, expires);
    try {
      const value = this.#isRaw ? request.payload() : this.#values.codecs.value(request);
      const context = new Context(route.subject, request, value, expires, this.#clock);
      const result = this.#handler(value, context);
      if (isThenable(result)) this.#later(job, context, result, undefined);
      else this.#answerWith(job, context, result);
    } catch (error) {
      this.#fail(job, route.subject, error);
    }
  }

  #executeWithStreams(job: number, route: Route, request: Message, expires: number): void {
    const carried = new Message(); // the request is borrowed, its streams may outlive it
    carried.streams = request.streams;
    const streams = this.#values.streamsOf(request);
    try {
      const value = this.#values.withStreams(request, streams);
      const context = new Context(route.subject, request, value, expires, this.#clock);
      const channel = opensChannel(request) ? streams[0] : undefined;
      if (channel instanceof Channel) return this.#open(job, carried, value, context, streams, channel);
      Context.carry(context, { streams, accept: undefined });
      const result = this.#handler(value, context);
      if (isThenable(result)) this.#later(job, context, result, carried);
      else if (!this.#answerWith(job, context, result)) discardStreams(carried);
    } catch (error) {
      discardStreams(carried);
      this.#fail(job, route.subject, error);
    }
    return undefined;
  }

  /** Runs the handler of a channel: it answers by accepting, and its end is the end of the channel. */
  #open(
    job: number,
    message: Message,
    value: unknown,
    context: Context,
    streams: Carriage["streams"],
    channel: Channel,
  ): void {
    const opening = new Opening(channel, () => {
      this.#jobs.end(job);
      this.#registration.reply(job, Message.ofBytes(NO_BYTES, ACCEPTED_LINE, Format.typed));
      Channel.onAbort(channel, (error) => Context.end(context, error.toFailure()));
    });
    Context.carry(context, { streams: streams.slice(1), accept: () => opening.accept() });
    const ended = (result: unknown): void => {
      if (!opening.accepted) return this.#answer(job, context, result, message);
      this.#values.discard(result);
      return opening.finish();
    };
    const failed = (error: unknown): void => {
      if (!opening.accepted) return this.#refuse(job, context, error, message);
      if (!(error instanceof LintelError)) this.#onError(error, `the handler of ${context.subject}`);
      opening.fail(error);
    };
    this.#jobs.hold(job, context);
    try {
      const result = this.#handler(value, context);
      if (isThenable(result)) result.then(ended, failed);
      else ended(result);
    } catch (error) {
      failed(error);
    }
    return undefined;
  }

  cancel(job: number, why: Failure): void {
    const context = this.#jobs.take(job);
    if (context !== undefined) Context.end(context, why);
  }

  async close(): Promise<void> {
    await this.#jobs.leave();
    await this.#gone.promise;
    this.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The engine does not take it any longer. */
  #ended(why: Failure): void {
    const error = LintelError.from(why);
    this.#over.reject(error);
    this.#onError(error, `the service ${this.subject}`);
  }

  /** `carried` has the streams that came with the request. */
  #later(job: number, context: Context, result: PromiseLike<unknown>, carried: Message | undefined): void {
    this.#jobs.hold(job, context);
    result.then(
      (value) => this.#answer(job, context, value, carried),
      (error: unknown) => this.#refuse(job, context, error, carried),
    );
  }

  /** The result of a handler is not needed when its job has been canceled in the meantime. */
  #answer(job: number, context: Context, value: unknown, carried: Message | undefined): void {
    if (!this.#jobs.end(job)) return this.#values.discard(value, Context.replyStreams(context));
    if (!this.#answerWith(job, context, value) && carried !== undefined) discardStreams(carried);
  }

  #refuse(job: number, context: Context, error: unknown, carried: Message | undefined): void {
    this.#values.discard(undefined, Context.replyStreams(context));
    if (carried !== undefined) discardStreams(carried);
    if (this.#jobs.end(job)) this.#fail(job, context.subject, error);
  }

  /** False when the answer cannot be written. That is the handler's mistake, whatever the error says. */
  #answerWith(job: number, context: Context, value: unknown): boolean {
    try {
      this.#answering = context.subject;
      this.#reply(job, context, value);
      return true;
    } catch (error) {
      this.#unsent(context.subject, error);
      this.#registration.fail(job, answerFailure(error));
      return false;
    }
  }

  #reply(job: number, context: Context, value: unknown): void {
    const head = Context.replyHead(context);
    const more = Context.replyStreams(context);
    // In JSON they would be null.
    if (typeof value === "symbol" || typeof value === "function")
      throw LintelError.of("BAD_PAYLOAD", `a ${typeof value} cannot be sent`);
    if (more.length > 0 || containsStream(value)) return this.#replyWithStreams(job, context, value, more);
    const message = this.#values.codecs.answer(value, head, Context.requestHead(context));
    message.onUnsent = this.#onUnsent;
    this.#registration.reply(job, message);
  }

  #replyWithStreams(job: number, context: Context, value: unknown, more: readonly unknown[]): void {
    const head = Context.replyHead(context);
    const requestHead = Context.requestHead(context);
    const length = findHeader(head, "content-length");
    const { message, carried } = this.#values.write(
      value,
      more,
      (plain, line) => this.#values.codecs.answer(plain, head + line, requestHead),
      length === undefined ? undefined : new DeclaredLength(length),
    );
    // The handler may still be at work on what it answers with: its signal fires when that is no longer read.
    carried?.onAbort((error) => {
      if (error.reason === "BAD_ANSWER") this.#unsent(context.subject, error); // the hub could not send it on
      Context.end(context, error.toFailure());
    });
    message.onUnsent = this.#onUnsent;
    if (!this.#registration.reply(job, message)) carried?.abort(LintelError.of("CALLER_GONE"));
  }

  #unsent(subject: string, error: unknown): void {
    this.#onError(error, `the answer of the handler of ${subject}`);
  }

  #fail(job: number, subject: string, error: unknown): void {
    if (error instanceof LintelError) {
      this.#registration.fail(job, error.toFailure());
      return;
    }
    // The caller learns that it failed, the operator why: texts and stacks of unexpected errors may hold secrets.
    this.#onError(error, `the handler of ${subject}`);
    this.#registration.fail(job, failure("HANDLER_FAILED"));
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
