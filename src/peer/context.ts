import type { Clock } from "../runtime/clock.ts";
import { LintelError, type Failure } from "../message/failure.ts";
import { MessageHeaders, findHeader } from "../message/headers.ts";
import { encodeBody, type Encoder, type Message } from "../message/message.ts";
import { formatAnswerHead } from "../message/unsent.ts";
import type { Channel } from "./stream/channel.ts";
import type { ReceivedStream } from "./stream/received.ts";

/** What an HTTP request looked like, for handlers that care. */
export interface HttpRequest {
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Parameters of the route's path pattern. */
  readonly params: Readonly<Record<string, string>>;
}

/** How the answer goes out besides its value. */
export interface ReplyControl {
  /** HTTP status, where the caller came over HTTP. Default 200, or 204 without a value. */
  status: number | undefined;
  readonly headers: Record<string, string | string[]>;
  /** Streams that go with the answer beside its value, for values that cannot refer to them. */
  readonly streams: unknown[];
}

/** What came with a request besides its value. */
export interface Carriage {
  readonly streams: readonly ReceivedStream[];
  /** Set when the caller opens a channel. */
  readonly accept: (() => Channel) | undefined;
}

/** What a handler knows of its request. */
export class Context {
  readonly subject: string;
  readonly #head: string;
  /** When it expires by the engine's clock: asking what time that is costs more than all the rest of a context. */
  readonly #expires: number;
  readonly #clock: Clock;
  /** The payload, or the value it would be made of: a request of the same process has none until it is read. */
  #body: unknown;
  readonly #encoder: Encoder | undefined;
  #reply: ReplyControl | undefined;
  #controller: AbortController | undefined;
  #ended: Failure | undefined;
  #carriage: Carriage | undefined;

  /** The value is given apart, as the handler's first argument. */
  constructor(subject: string, message: Message, value: unknown, expires: number, clock: Clock) {
    this.subject = subject;
    this.#head = message.headText();
    this.#expires = expires;
    this.#clock = clock;
    this.#encoder = message.encoder;
    this.#body = message.encoder === undefined && !(value instanceof Uint8Array) ? message.payload() : value;
  }

  /** The request's headers, pseudo-headers of HTTP requests included. */
  get headers(): MessageHeaders {
    return new MessageHeaders(this.#head);
  }

  /** When the request expires, in milliseconds since the epoch. */
  get deadline(): number {
    return Math.round(Date.now() + this.#expires - this.#clock.now());
  }

  /** The payload as it arrived. */
  get body(): Uint8Array {
    if (!(this.#body instanceof Uint8Array)) this.#body = encodeBody(this.#encoder!, this.#body);
    return this.#body as Uint8Array;
  }

  /**
   * Fires when the answer is no longer wanted: caller gone, deadline passed, connection lost. For an answer that
   * is a stream, or contains one, also later: when the stream is aborted.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(LintelError.from(this.#ended));
    }
    return this.#controller.signal;
  }

  /** Status and headers of the answer. */
  get reply(): ReplyControl {
    this.#reply ??= { status: undefined, headers: {}, streams: [] };
    return this.#reply;
  }

  /** Streams and channels that came with the request, also those its value contains. */
  get streams(): readonly ReceivedStream[] {
    return this.#carriage?.streams ?? [];
  }

  /**
   * Accepts the channel the caller opens: its `open` resolves. What the handler returns from then on counts for nothing;
   * when it has ended the channel is closed, and when it throws the channel is aborted.
   * Throws `failed_precondition` when the caller has made a request instead.
   */
  accept(): Channel {
    const accept = this.#carriage?.accept;
    if (accept === undefined) {
      throw new LintelError(
        "failed_precondition",
        "this subject takes channels: use open() instead of request()",
      );
    }
    return accept();
  }

  /** Set when the request came over HTTP. */
  get http(): HttpRequest | undefined {
    const method = findHeader(this.#head, ":method");
    if (method === undefined) return undefined;
    const target = findHeader(this.#head, ":path") ?? "/";
    const mark = target.indexOf("?");
    const params = new URLSearchParams(findHeader(this.#head, ":params"));
    return {
      method,
      path: mark < 0 ? target : target.slice(0, mark),
      query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
      params: Object.fromEntries(params),
    };
  }

  /** The header block of the answer. Throws `BAD_HEADER`. */
  static replyHead(context: Context): string {
    const reply = context.#reply;
    if (reply === undefined) return "";
    return formatAnswerHead(reply, findHeader(context.#head, ":method") !== undefined);
  }

  /** The header block of the request. */
  static requestHead(context: Context): string {
    return context.#head;
  }

  /** Streams that go with the answer beside its value. */
  static replyStreams(context: Context): readonly unknown[] {
    return context.#reply?.streams ?? [];
  }

  /** Adds what came with the request. */
  static carry(context: Context, carriage: Carriage): void {
    context.#carriage = carriage;
  }

  /** Fires the signal. */
  static end(context: Context, why: Failure): void {
    if (context.#ended !== undefined) return;
    context.#ended = why;
    context.#controller?.abort(LintelError.from(why));
  }
}
