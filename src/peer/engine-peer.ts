import type { Codec } from "../codec/codec.ts";
import { Codecs } from "../codec/codecs.ts";
import { bytesOf } from "../codec/values.ts";
import type { Engine } from "../engine/engine.ts";
import type { Route, Sink } from "../message/delivery.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import { MessageHeaders, formatHeaders } from "../message/headers.ts";
import { DEFAULT_LIMITS } from "../message/limits.ts";
import type { Message } from "../message/message.ts";
import type {
  Handler,
  Listener,
  Peer,
  PublishOptions,
  Reply,
  RequestOptions,
  ServeOptions,
  Service,
  SubscribeOptions,
  Subscription,
} from "./peer.ts";
import { HandlerService, type OnError } from "./service.ts";
import { ListenerSubscription } from "./subscription.ts";

export interface EnginePeerOptions {
  /** Timeout of requests that name none. Milliseconds. */
  readonly timeoutMs?: number;
  /** Told of errors nobody else learns of: what handlers throw unexpectedly, what listeners throw. Default: stderr. */
  readonly onError?: OnError;
  /** What reads and writes values. Default: JSON, text, bytes and forms. */
  readonly codecs?: Codecs;
}

/** A peer in front of any engine. */
export class EnginePeer implements Peer {
  readonly #engine: Engine;
  readonly #timeoutMs: number;
  readonly #onError: OnError;
  readonly #codecs: Codecs;
  /** Services and subscriptions that have not ended. */
  readonly #running = new Set<HandlerService | ListenerSubscription>();

  constructor(engine: Engine, options: EnginePeerOptions = {}) {
    this.#engine = engine;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_LIMITS.timeout;
    this.#onError = options.onError ?? reportToStderr;
    this.#codecs = options.codecs ?? Codecs.builtIn;
  }

  request<T>(
    subject: string,
    value: unknown,
    options: RequestOptions & { readonly full: true },
  ): Promise<Reply<T>>;
  request<T>(subject: string, value?: unknown, options?: RequestOptions): Promise<T>;
  request(subject: string, value?: unknown, options?: RequestOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const route = this.#engine.route(subject);
      if (options === undefined) {
        const call = new Call(this.#codecs, resolve, reject, false);
        this.#engine.request(route, this.#codecs.request(value, ""), this.#timeoutMs, call, 0);
      } else {
        this.#requestWith(route, value, options, resolve, reject);
      }
    });
  }

  publish(subject: string, value?: unknown, options?: PublishOptions): Promise<void> | undefined {
    const head = options?.headers === undefined ? "" : formatHeaders(options.headers);
    const codecs = this.#codecsFor(options);
    return this.#engine.publish(this.#engine.route(subject), codecs.message(value, head));
  }

  async subscribe<V>(
    pattern: string,
    listener?: Listener<V> | SubscribeOptions,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    const subscription = new ListenerSubscription(
      this.#engine,
      pattern,
      typeof listener === "function" ? (listener as Listener) : undefined,
      typeof listener === "function" ? options : (listener ?? options),
      this.#onError,
      this.#codecs,
    );
    await this.#run(subscription);
    return subscription;
  }

  async serve<V>(subject: string, handler: Handler<V>, options: ServeOptions = {}): Promise<Service> {
    // What a value really is only the handler knows; its type parameter says what it expects.
    const service = new HandlerService(
      this.#engine,
      subject,
      handler as Handler,
      options,
      this.#onError,
      this.#codecs,
    );
    await this.#run(service);
    return service;
  }

  async drain(): Promise<void> {
    await this.#engine.drain();
    await this.close();
  }

  async close(): Promise<void> {
    await this.#engine.close();
    for (const one of this.#running) one.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Resolves when it has been accepted. It is known from now on, until it ends. */
  #run(one: HandlerService | ListenerSubscription): Promise<void> {
    this.#running.add(one);
    const forget = (): void => void this.#running.delete(one);
    one.ready.catch(forget);
    one.closed.then(forget, forget);
    return one.ready;
  }

  #requestWith(
    route: Route,
    value: unknown,
    options: RequestOptions,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    const { signal, headers, timeoutMs = this.#timeoutMs, full = false } = options;
    if (!(timeoutMs >= 0))
      throw new RangeError(`timeoutMs is ${timeoutMs}, it must be a number of milliseconds`);
    if (signal?.aborted === true) {
      reject(canceled(signal));
      return;
    }
    const codecs = this.#codecsFor(options);
    const message = codecs.request(value, headers === undefined ? "" : formatHeaders(headers));
    if (signal === undefined) {
      this.#engine.request(route, message, timeoutMs, new Call(codecs, resolve, reject, full), 0);
      return;
    }
    let handle = 0;
    const onAbort = (): void => {
      this.#engine.cancel(handle);
      reject(canceled(signal));
    };
    const settled = (settle: (outcome: unknown) => void) => (outcome: unknown) => {
      signal.removeEventListener("abort", onAbort);
      settle(outcome);
    };
    const call = new Call(codecs, settled(resolve), settled(reject), full);
    signal.addEventListener("abort", onAbort, { once: true });
    handle = this.#engine.request(route, message, timeoutMs, call, 0);
    if (signal.aborted) this.#engine.cancel(handle); // it was aborted by what the request itself set going
  }

  #codecsFor(options: { readonly codec?: Codec } | undefined): Codecs {
    return options?.codec === undefined ? this.#codecs : this.#codecs.preferring(options.codec);
  }
}

/** One request that a promise waits for. */
class Call implements Sink {
  readonly #codecs: Codecs;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  readonly #full: boolean;

  constructor(
    codecs: Codecs,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    full: boolean,
  ) {
    this.#codecs = codecs;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#full = full;
  }

  answered(_tag: number, answer: Message): void {
    try {
      this.#resolve(this.#full ? new FullReply(answer, this.#codecs) : this.#codecs.value(answer));
    } catch (error) {
      this.#reject(error);
    }
  }

  failed(_tag: number, why: Failure): void {
    this.#reject(LintelError.from(why));
  }
}

/** A reply whose value is decoded when somebody looks: the bytes are there even if they are not what their type says. */
class FullReply implements Reply {
  readonly headers: MessageHeaders;
  readonly body: Uint8Array;
  readonly #codecs: Codecs;
  #message: Message | undefined;
  #value: unknown;

  constructor(answer: Message, codecs: Codecs) {
    this.#codecs = codecs;
    this.headers = new MessageHeaders(answer.headText());
    this.body = bytesOf(answer);
    this.#message = answer.retain();
  }

  get value(): unknown {
    if (this.#message !== undefined) this.#value = this.#codecs.value(this.#message);
    this.#message = undefined;
    return this.#value;
  }
}

function canceled(signal: AbortSignal): LintelError {
  return LintelError.of("CALLER_GONE", "the request was aborted by its caller", signal.reason);
}

function reportToStderr(error: unknown, where: string): void {
  console.error(`lintel: ${where} failed:`, error);
}
