import type { Message, StreamEnd } from "../../message/message.ts";
import { LintelError } from "../../message/failure.ts";
import { formatHeaders, type HeadersInit } from "../../message/headers.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { discardStreams, link } from "../../stream/stream.ts";
import { FireAndForget, ignore } from "./fire-and-forget.ts";
import { failureOf } from "./pumps.ts";
import { Port, type Holder } from "./port.ts";
import type { Values } from "./values.ts";

/**
 * Values both ways until closed, in order, each way as fast as the other end reads. A channel is made by `peer.open` and
 * by `peer.createChannel`, and it can be passed on: put it into a value, and the receiver of the value holds the channel.
 */
export class Channel implements AsyncIterable<unknown>, AsyncDisposable {
  readonly #end: StreamEnd;
  #port: Port | undefined;
  readonly #values: Values;
  readonly #holder: Holder;
  #gone = false;
  #onAbort: ((error: LintelError) => void) | undefined;

  /** Channels are made by `peer.open` and `peer.createChannel`. */
  constructor(end: StreamEnd, values: Values, holder: Holder = "receiver") {
    this.#end = end;
    this.#holder = holder;
    this.#values = values;
  }

  /**
   * Sends a value. Resolves when it has left, which the reader's pace decides; values leave in the order of the calls.
   * Rejects with the error of an abort, `CLOSED` after `close`, `TOO_LARGE` for what the hub does not take (what only the
   * other end does not take aborts the channel with it), `SLOW_CONSUMER` when 1,024 calls wait.
   *
   * It need not be waited for: an end of the channel shows in `closed`, and of a value that could not be sent otherwise
   * `onError` of the peer is told.
   */
  send(value: unknown, options: { readonly headers?: HeadersInit } = {}): Promise<void> {
    let outcome: Promise<void>;
    try {
      const left = this.#send(value, options);
      if (left === undefined) return Promise.resolve();
      outcome = left;
    } catch (error) {
      outcome = Promise.reject(error);
    }
    return FireAndForget.of(outcome, (error) => {
      if (this.#port?.isSending === true || this.#gone) this.#values.report(error, "send() on a channel");
    });
  }

  /**
   * The next value that arrived; `done` when the other end has closed. Rejects with the error of an abort, which `closed`
   * reports as well, so you need not await it.
   */
  receive(): Promise<IteratorResult<unknown, undefined>> {
    const next = new Promise<IteratorResult<unknown, undefined>>((resolve, reject) => {
      const { port, values } = this.#open();
      const received = (message: Message | undefined): void => {
        if (message === undefined) return resolve({ done: true, value: undefined });
        try {
          return resolve({ done: false, value: values.value(message) });
        } catch (error) {
          discardStreams(message);
          return reject(error);
        }
      };
      port.takeFor({ resolve: received, reject });
    });
    next.catch(ignore);
    return next;
  }

  /** Values until the other end closes. Leaving the loop early closes this end, and nothing else arrives. */
  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void> {
    let ended = false;
    try {
      for (let next = await this.receive(); next.done !== true; next = await this.receive()) yield next.value;
      ended = true;
    } finally {
      if (!ended) this.abort(new LintelError("canceled", "the reader has left"));
    }
  }

  /** Resolves when both ends have closed; rejects when either has aborted. */
  get closed(): Promise<void> {
    return this.#open().port.closed;
  }

  /** Sends nothing more after what was sent. What the other end sends still arrives. */
  close(): void {
    this.#open().port.end();
  }

  /** Ends both directions at once; the other end gets `error`, `canceled` if it is not given. */
  abort(error: LintelError = new LintelError("canceled", "the channel was aborted")): void {
    this.#open().port.abort(failureOf(error));
  }

  /** Closes this end, and drops what still arrives. Nothing happens to a channel that was sent on. */
  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#gone) Channel.leave(this);
    return Promise.resolve();
  }

  /** Closes it for an owner that will no longer read it. */
  static leave(channel: Channel): void {
    const { port } = channel.#open();
    port.end();
    port.ignoreRest();
  }

  /** Tells of its abort, once it is in use; a channel may also be sent on. */
  static onAbort(channel: Channel, then: (error: LintelError) => void): void {
    channel.#onAbort = then;
    channel.#port?.closed.catch(then);
  }

  /** Takes the end out, to pass it on. */
  static detach(channel: Channel): StreamEnd {
    if (channel.#port !== undefined || channel.#gone) {
      throw new LintelError(
        "failed_precondition",
        "a channel that is in use cannot be sent; make one with peer.createChannel() and pipe() the two",
      );
    }
    channel.#gone = true;
    return channel.#end;
  }

  /** True if it was passed on. */
  static isGone(channel: Channel): boolean {
    return channel.#gone;
  }

  /** Undefined when it has left already. */
  #send(value: unknown, { headers }: { readonly headers?: HeadersInit }): Promise<void> | undefined {
    const head = headers === undefined ? "" : formatHeaders(headers);
    const { port, values } = this.#open();
    const { message, carried } = values.bytes(value, head);
    if (carried === undefined) return port.send(message);
    const failed = (error: unknown): never => {
      carried.abort(error);
      throw error;
    };
    try {
      return port.send(message)?.catch(failed);
    } catch (error) {
      return failed(error);
    }
  }

  #open(): { port: Port; values: Values } {
    if (this.#gone) throw new LintelError("failed_precondition", "the channel was passed on");
    if (this.#port === undefined) {
      this.#port = new Port(this.#end, this.#values, this.#holder);
      if (this.#onAbort !== undefined) this.#port.closed.catch(this.#onAbort);
    }
    return { port: this.#port, values: this.#values };
  }
}

/** Two ends of a channel: one to keep, one to put into a value. */
export function channelPair(values: Values): [Channel, Channel] {
  const [one, other] = createStream({ receives: true, sends: true, messages: true });
  return [new Channel(one, values, "opener"), new Channel(other, values, "opener")];
}

/** Joins two unused channels: what arrives at one is sent on the other, with its streams and its end. */
export function pipe(one: Channel, other: Channel): void {
  for (const end of [one, other])
    if (!(end instanceof Channel)) throw new LintelError("invalid_argument", "pipe() takes two channels");
  link(Channel.detach(one), Channel.detach(other));
}
