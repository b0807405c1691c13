/** The API people use: the same for an embedded hub and for a client of one. */
import type { Codec } from "../codec/codec.ts";
import type { EnabledVerb } from "../message/delivery.ts";
import type { MessageHeaders, HeadersInit } from "../message/headers.ts";
import type { Overflow } from "../message/overflow.ts";
import type { Context } from "./context.ts";
import type { Channel } from "./stream/channel.ts";
import type { ReceivedStream } from "./stream/received.ts";

export interface RequestOptions {
  /** Time until the request fails with `deadline_exceeded`. Milliseconds, default 30,000. */
  readonly timeoutMs?: number;
  /** Withdraws the request: the handler's own signal fires. */
  readonly signal?: AbortSignal;
  readonly headers?: HeadersInit;
  /** Resolve with the whole reply instead of its value. */
  readonly full?: boolean;
  /** Writes this request, unless its value is text or bytes, and reads its answer. Default: the peer's own. */
  readonly codec?: Codec;
  /**
   * Streams that go with the request beside its value, for values that cannot refer to them: text, bytes, codecs without
   * objects. The handler finds them first in `context.streams`.
   */
  readonly streams?: readonly unknown[];
  /** Streams of the request go on when it fails or is withdrawn. Default: they are aborted. */
  readonly detached?: boolean;
}

export interface PublishOptions {
  readonly headers?: HeadersInit;
  /** Writes this publication, unless its value is text or bytes. Default: the peer's own. */
  readonly codec?: Codec;
}

export interface ServeOptions {
  /** Workers of one subject and queue share its requests. */
  readonly queue?: string;
  /** Requests handled at a time; more wait at the hub. Default 256. */
  readonly concurrency?: number;
  /**
   * The handler's value is the payload as it came, whatever its type says: a `Uint8Array`, also of an empty payload. Streams
   * stay streams. Default false.
   */
  readonly raw?: boolean;
}

export interface DrainOptions {
  /**
   * How long all of it may take. What is left then fails as `DRAINING`, and the peer is closed. Milliseconds, default 10,000;
   * Infinity waits for all requests.
   */
  readonly graceMs?: number;
  /**
   * How long streams that are open may take to end by themselves; those that are left then are cut off. Streams that
   * are not read are cut off after 0.5 to 2 s. Milliseconds, default 5,000.
   */
  readonly streamGraceMs?: number;
}

/** How a peer writes values, and which it can read. */
export interface CodecOptions {
  /** Writes every value that is neither text nor bytes. Default: JSON. */
  readonly codec?: Codec;
  /** Reads values of these content types, besides JSON, text, bytes and forms. `codec` need not be among them. */
  readonly codecs?: readonly Codec[];
}

export interface SubscribeOptions {
  /**
   * What becomes of publications when this subscriber does not keep up. "drop-newest", the default: the new ones are
   * dropped. "drop-oldest": those that have waited longest are. "disconnect": the subscription ends with `SLOW_CONSUMER`
   * instead of missing any; when it is the connection that is slow, the session ends with it and is made anew.
   */
  readonly overflow?: Overflow;
}

/** A reply with everything that came with it. */
export interface Reply<T = unknown> {
  /** Decoded when it is first looked at: throws `BAD_PAYLOAD` when the payload is not what its content type says. */
  readonly value: T;
  readonly headers: MessageHeaders;
  /** The payload as it arrived. */
  readonly body: Uint8Array;
  /** Streams and channels that came with it, also those its value contains. */
  readonly streams: readonly ReceivedStream[];
}

/** Answers a request with a value, or fails it by throwing. */
export type Handler<V = unknown> = (value: V, context: Context) => unknown;

/** Takes a publication. What it throws is reported, and affects nothing else. */
export type Listener<V = unknown> = (value: V, publication: Publication<V>) => unknown;

/** A message of a subscription. */
export interface Publication<T = unknown> {
  readonly subject: string;
  readonly value: T;
  readonly headers: MessageHeaders;
  readonly body: Uint8Array;
}

/** A running service. */
export interface Service extends AsyncDisposable {
  readonly subject: string;
  /**
   * Resolves when the service has ended, by its own `close` or its peer's. Rejects with the reason when the hub does not
   * take it any longer, as it may after a reconnect; `onError` is told too. It need not be handled.
   */
  readonly closed: Promise<void>;
  /** Takes no more requests and resolves when none can come any more and those in hand are answered. */
  close(): Promise<void>;
}

/** A running subscription. Without a listener it is read with `for await`. */
export interface Subscription extends AsyncIterable<Publication>, AsyncDisposable {
  readonly pattern: string;
  /** Publications that were dropped because this end fell behind: by the hub, as far as it has told, and here. */
  readonly dropped: number;
  /** As of a service. Rejects with `SLOW_CONSUMER` when it falls behind and its policy is to end then. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** Something that clients of a hub may do as long as it is not closed. */
export interface Enablement extends AsyncDisposable {
  readonly verb: EnabledVerb;
  readonly pattern: string;
  /** As of a service. Rejects when the hub has ended it, or does not take it after a reconnect. */
  readonly closed: Promise<void>;
  /** Resolves when clients may do it no longer, unless another service has enabled it too. */
  close(): Promise<void>;
}

export interface Peer extends AsyncDisposable {
  /**
   * Sends a request to one worker and resolves with its answer. Always settles: with the answer, or with a `LintelError`
   * (docs/ERRORS.md) at the latest when the timeout has passed.
   */
  request<T = unknown>(
    subject: string,
    value: unknown,
    options: RequestOptions & { readonly full: true },
  ): Promise<Reply<T>>;
  request<T = unknown>(subject: string, value?: unknown, options?: RequestOptions): Promise<T>;
  /**
   * Sends a message to every subscriber. Returns nothing, or a promise when the publisher should wait for it before it
   * goes on. Throws `NOT_CONNECTED` while there is no connection.
   */
  publish(subject: string, value?: unknown, options?: PublishOptions): Promise<void> | undefined;
  /**
   * Listens to a subject or pattern. Resolves when publications made from then on arrive. Without a listener they are
   * read with `for await`.
   */
  subscribe<V = unknown>(
    pattern: string,
    listener: Listener<V>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  subscribe(pattern: string, options?: SubscribeOptions): Promise<Subscription>;
  /** Answers requests for a subject or pattern. Resolves when requests can arrive. */
  serve<V = unknown>(subject: string, handler: Handler<V>, options?: ServeOptions): Promise<Service>;
  /**
   * Lets clients of the hub do this with every subject of the pattern, until it is closed or this peer is gone. Resolves when
   * they may. Rejects with `PERMISSION_DENIED` unless this peer is a service, and may itself serve the pattern to enable
   * "request", subscribe to it to enable "publish", publish to it to enable "subscribe". Where a hub checks no credentials
   * everybody may do everything, and this changes nothing.
   */
  enable(verb: EnabledVerb, pattern: string): Promise<Enablement>;
  /**
   * Opens a channel to one worker: values both ways until closed. Resolves when its handler has called
   * `context.accept()`; rejects like a request, with `NOT_ACCEPTED` when the handler answers instead.
   */
  open(subject: string, value?: unknown, options?: RequestOptions): Promise<Channel>;
  /** A channel's two ends: one to keep, one to put into a value for its receiver. */
  createChannel(): [Channel, Channel];
  /** Takes nothing new, finishes what is under way, streams too, then closes. */
  drain(options?: DrainOptions): Promise<void>;
  /** Ends at once: requests under way fail. */
  close(): Promise<void>;
}
