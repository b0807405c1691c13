import type { Codec } from "../codec/codec.ts";
import { Codecs } from "../codec/codecs.ts";
import type { Engine } from "../engine/engine.ts";
import type { EnabledVerb, Enabler, Route, Sink } from "../message/delivery.ts";
import { DRAIN_GRACE_MS, OVERDUE } from "../message/draining.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import { MessageHeaders, formatHeaders } from "../message/headers.ts";
import { DEFAULT_LIMITS, MAX_TIMEOUT } from "../message/limits.ts";
import type { Message } from "../message/message.ts";
import { OpenStreams, STREAM_GRACE_MS } from "../stream/open-streams.ts";
import { ReadBudget } from "../stream/read-window.ts";
import { discardStreams } from "../stream/stream.ts";
import { canBeWritten, unsentAnswer } from "../message/unsent.ts";
import { AbortListeners } from "../runtime/abort-listeners.ts";
import type {
  DrainOptions,
  Enablement,
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
import { checkDrain, checkListener, checkRequest, checkServe } from "./checks.ts";
import { channelPair, type Channel } from "./stream/channel.ts";
import { DroppedStreams } from "./stream/dropped-streams.ts";
import { giveUp, type ReceivedStream } from "./stream/received.ts";
import { StreamValues, containsStream } from "./stream/stream-values.ts";
import type { AttachedObjects } from "./stream/values.ts";
import { HandlerService, type OnError } from "./service.ts";
import { PeerEnablement } from "./enablement.ts";
import { ListenerSubscription } from "./subscription.ts";

export interface EnginePeerOptions {
  /** Timeout of requests that name none. Milliseconds. */
  readonly timeoutMs?: number;
  /** Called with errors that reach nobody else: unexpected errors of handlers, and errors of listeners. Default: stderr. */
  readonly onError?: OnError;
  /** What reads and writes values. Default: JSON, text, bytes and forms. */
  readonly codecs?: Codecs;
  /** What makes objects of sockets and files that arrive. Default: they come as bytes. */
  readonly objects?: AttachedObjects;
  /** Where its streams are counted that are open. Its engine may count there what still sends. */
  readonly open?: OpenStreams;
  /** Where clients are enabled to do something. Default: nowhere, `enable` rejects. */
  readonly enabler?: Enabler;
}

const OPEN_HEADER = { ":open": "channel" };

type Running = HandlerService | ListenerSubscription | PeerEnablement;

/** A peer in front of any engine. */
export class EnginePeer implements Peer {
  readonly #engine: Engine;
  readonly #timeoutMs: number;
  readonly #onError: OnError;
  readonly #codecs: Codecs;
  readonly #values: StreamValues;
  readonly #aborts = new AbortListeners();
  /** Services, subscriptions and enablements that have not ended. */
  readonly #running = new Set<Running>();
  readonly #enabler: Enabler | undefined;

  constructor(engine: Engine, options: EnginePeerOptions = {}) {
    this.#engine = engine;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_LIMITS.timeout;
    this.#enabler = options.enabler;
    this.#onError = options.onError ?? reportToStderr;
    this.#codecs = options.codecs ?? Codecs.builtIn;
    const shared = {
      budget: new ReadBudget(),
      open: options.open ?? new OpenStreams(),
      dropped: new DroppedStreams(),
      objects: options.objects,
    };
    this.#values = new StreamValues(this.#codecs, shared, this.#onError);
  }

  /** What routes a peer's messages, for parts that need no values. Throws a TypeError for a peer of another make. */
  static engineOf(peer: Peer): Engine {
    return EnginePeer.#own(peer).#engine;
  }

  /** What a request of the peer with these options is written by, and its timeout in milliseconds. Throws likewise. */
  static defaultsOf(
    peer: Peer,
    options: RequestOptions,
  ): { readonly values: StreamValues; readonly timeoutMs: number } {
    const own = EnginePeer.#own(peer);
    return { values: own.#valuesFor(options), timeoutMs: options.timeoutMs ?? own.#timeoutMs };
  }

  static #own(peer: Peer): EnginePeer {
    if (!(peer instanceof EnginePeer)) throw new TypeError("peer must come from createHub() or connect()");
    return peer;
  }

  request<T>(
    subject: string,
    value: unknown,
    options: RequestOptions & { readonly full: true },
  ): Promise<Reply<T>>;
  request<T>(subject: string, value?: unknown, options?: RequestOptions): Promise<T>;
  request(subject: string, value?: unknown, options?: RequestOptions): Promise<unknown> {
    try {
      const route = this.#engine.route(subject);
      if (options !== undefined || containsStream(value)) {
        return this.#requestWith(route, value, options ?? {});
      }
      const call = new Call(this.#values, false);
      this.#engine.request(route, this.#codecs.request(value, ""), this.#timeoutMs, call, 0);
      return call.outcome();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  publish(subject: string, value?: unknown, options?: PublishOptions): Promise<void> | undefined {
    const head = options?.headers === undefined ? "" : formatHeaders(options.headers);
    const codecs = this.#codecsFor(options);
    if (containsStream(value))
      throw LintelError.of("STREAMS_UNSUPPORTED", "a publication cannot carry streams");
    return this.#engine.publish(this.#engine.route(subject), codecs.message(value, head));
  }

  async subscribe<V>(
    pattern: string,
    listener?: Listener<V> | SubscribeOptions,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    checkListener(listener, options);
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
    checkServe(subject, handler, options);
    // What a value really is only the handler knows; its type parameter says what it expects.
    const service = new HandlerService(
      this.#engine,
      subject,
      handler as Handler,
      options,
      this.#onError,
      this.#values,
    );
    await this.#run(service);
    return service;
  }

  async enable(verb: EnabledVerb, pattern: string): Promise<Enablement> {
    if (this.#enabler === undefined) throw LintelError.of("ENABLE_UNSUPPORTED");
    const enablement = new PeerEnablement(this.#enabler, verb, pattern, this.#onError);
    await this.#run(enablement);
    return enablement;
  }

  async open(subject: string, value?: unknown, options: RequestOptions = {}): Promise<Channel> {
    checkRequest(options, "open");
    if (options.headers !== undefined) formatHeaders(options.headers);
    const [near, far] = this.createChannel();
    const { headers, streams } = await this.request(subject, value, {
      ...options,
      detached: false, // a channel that was not opened is useless
      streams: [far, ...(options.streams ?? [])],
      headers: { ...options.headers, ...OPEN_HEADER },
      full: true,
    });
    if (headers.get(":open") === "accepted") return near;
    for (const stream of streams) giveUp(stream);
    const error = LintelError.of("NOT_ACCEPTED");
    near.abort(error);
    throw error;
  }

  createChannel(): [Channel, Channel] {
    return channelPair(this.#values);
  }

  async drain(options: DrainOptions = {}): Promise<void> {
    checkDrain(options);
    await this.within(options, async () => {
      await this.#engine.drain();
      await this.streamsEnded(options);
    });
    await this.close();
  }

  /** Resolves when `done` has, or when the time of grace is over: then what is under way has been ended. */
  protected async within(
    { graceMs = DRAIN_GRACE_MS }: DrainOptions,
    done: () => Promise<void>,
    onOver: () => Promise<unknown> = () => this.#engine.close(OVERDUE),
  ): Promise<void> {
    const { clock } = this.#engine;
    let timer: unknown;
    const over = new Promise<"over">((resolve) => {
      if (graceMs <= MAX_TIMEOUT) timer = clock.after(graceMs, () => resolve("over"));
    });
    const outcome = await Promise.race([done(), over]);
    clock.clear(timer);
    if (outcome === "over") await onOver();
  }

  /** Resolves when no stream is open, or when their time is over. */
  protected streamsEnded({ streamGraceMs = STREAM_GRACE_MS }: DrainOptions): Promise<void> {
    return this.#values.open.ended(this.#engine.clock, streamGraceMs);
  }

  async close(): Promise<void> {
    await this.#engine.close();
    for (const one of this.#running) one.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Resolves when it has been accepted. It is known from now on, until it ends. */
  #run(one: Running): Promise<void> {
    this.#running.add(one);
    const forget = (): void => void this.#running.delete(one);
    one.ready.catch(forget);
    one.closed.then(forget, forget);
    return one.ready;
  }

  #requestWith(route: Route, value: unknown, options: RequestOptions): Promise<unknown> {
    const { signal, headers, timeoutMs = this.#timeoutMs, full = false } = options;
    const isPlain = signal === undefined && options.codec === undefined && options.streams === undefined;
    if (!isPlain || typeof timeoutMs !== "number" || !(timeoutMs >= 0)) checkRequest(options);
    if (signal?.aborted === true) throw canceled(signal);
    const values = this.#valuesFor(options);
    const head = headers === undefined ? "" : formatHeaders(headers);
    const { message, carried } = values.write(value, options.streams ?? [], (plain, line) =>
      values.codecs.request(plain, head + line),
    );
    const abort = (error: unknown): void => {
      if (options.detached !== true) carried?.abort(error);
    };
    if (signal === undefined) {
      const call = new Call(values, full, undefined, carried && abort);
      this.#engine.request(route, message, timeoutMs, call, 0);
      return call.outcome();
    }
    let handle = 0;
    const onAbort = (): void => {
      this.#engine.cancel(handle);
      call.fail(canceled(signal));
    };
    const call = new Call(values, full, () => this.#aborts.remove(signal, onAbort), abort);
    this.#aborts.add(signal, onAbort);
    handle = this.#engine.request(route, message, timeoutMs, call, 0);
    if (signal.aborted) this.#engine.cancel(handle); // it was aborted by what the request itself set going
    return call.outcome();
  }

  #valuesFor(options: { readonly codec?: Codec }): StreamValues {
    return options.codec === undefined
      ? this.#values
      : this.#values.with(this.#codecs.preferring(options.codec));
  }

  #codecsFor(options: { readonly codec?: Codec } | undefined): Codecs {
    return options?.codec === undefined ? this.#codecs : this.#codecs.preferring(options.codec);
  }
}

/** One request. A promise with functions to settle it is made only where the outcome does not come at once. */
class Call implements Sink {
  readonly #values: StreamValues;
  readonly #full: boolean;
  readonly #onSettled: (() => void) | undefined;
  readonly #onFailed: ((error: unknown) => void) | undefined;
  #state: "open" | "answered" | "failed" = "open";
  #result: unknown;
  #resolve: ((value: unknown) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(
    values: StreamValues,
    full: boolean,
    onSettled?: () => void,
    onFailed?: (error: unknown) => void,
  ) {
    this.#values = values;
    this.#full = full;
    this.#onSettled = onSettled;
    this.#onFailed = onFailed;
  }

  /** To be called once. */
  outcome(): Promise<unknown> {
    if (this.#state === "answered") return Promise.resolve(this.#result);
    if (this.#state === "failed") return Promise.reject(this.#result);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  answered(_tag: number, answer: Message): void {
    let value: unknown;
    try {
      value = this.#full ? new FullReply(answer, this.#values) : this.#values.value(answer);
    } catch (error) {
      discardStreams(answer);
      // An answer of the same process is not written before it is read: its maker's mistake shows here.
      this.fail(canBeWritten(answer) ? error : LintelError.from(unsentAnswer(answer, error)));
      return;
    }
    if (this.#settle("answered", value)) this.#resolve?.(value);
  }

  failed(_tag: number, why: Failure): void {
    this.fail(LintelError.from(why));
  }

  fail(error: unknown): void {
    if (!this.#settle("failed", error)) return;
    this.#onFailed?.(error);
    this.#reject?.(error);
  }

  /** False when it has an outcome already. */
  #settle(state: "answered" | "failed", result: unknown): boolean {
    if (this.#state !== "open") return false;
    this.#state = state;
    this.#result = result;
    this.#onSettled?.();
    return true;
  }
}

/** A reply whose value is decoded when it is read: the bytes are there even if they do not match their type. */
class FullReply implements Reply {
  readonly headers: MessageHeaders;
  readonly body: Uint8Array;
  readonly streams: readonly ReceivedStream[];
  readonly #values: StreamValues;
  #message: Message | undefined;
  #value: unknown;

  constructor(answer: Message, values: StreamValues) {
    this.#values = values;
    this.streams = values.streamsOf(answer);
    this.headers = new MessageHeaders(answer.headText());
    this.body = answer.payload();
    this.#message = answer.retain();
  }

  get value(): unknown {
    if (this.#message !== undefined) this.#value = this.#values.withStreams(this.#message, this.streams);
    this.#message = undefined;
    return this.#value;
  }
}

function canceled(signal: AbortSignal): LintelError {
  return LintelError.of("CALLER_GONE", "the request was aborted by its caller", signal.reason);
}

/** Where errors go without an `onError`. */
export function reportToStderr(error: unknown, where: string): void {
  console.error(`lintel: ${where} failed:`, error);
}
