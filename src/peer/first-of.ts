import { LintelError, failure } from "../message/failure.ts";
import { checkArgument, list } from "../message/options.ts";
import { EnginePeer } from "./engine-peer.ts";
import type { Peer, Reply, RequestOptions } from "./peer.ts";
import { OutgoingStreams } from "./stream/outgoing-streams.ts";
import type { Channel } from "./stream/channel.ts";
import { RetryableStream } from "./stream/retryable-stream.ts";
import { failureOf } from "./stream/pumps.ts";
import { containsStream, replaceStreams, type StreamValues } from "./stream/stream-values.ts";

/** Where a request may go. */
export interface Destination {
  readonly peer: Peer;
  readonly subject: string;
}

/** What a destination said: an entry of `details.attempts` of the error when none has taken the request. */
export interface Attempt {
  readonly subject: string;
  readonly code: string;
  readonly reason: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: unknown;
}

/** Destinations that are tried in order. Made by `firstOf`. */
export interface Destinations {
  /** As `request` of a peer, but for the errors: see `firstOf`. `timeoutMs` is the time for all destinations together. */
  request<T = unknown>(value: unknown, options: RequestOptions & { readonly full: true }): Promise<Reply<T>>;
  request<T = unknown>(value?: unknown, options?: RequestOptions): Promise<T>;
  /** As `open` of a peer. */
  open(value?: unknown, options?: RequestOptions): Promise<Channel>;
}

/**
 * Sends to the first destination that takes what is sent. The next is tried when the one before is known not to have
 * executed the request, which is when its error is `retryable`: there is no worker, the queue is full, there is no
 * connection. Streams and channels in the value go along whole, and never to another destination once a worker may have
 * begun to read them. When all have failed, or the next must not be tried, it rejects with the last one's error, to whose
 * `details` `attempts` has been put: what each has said, in order. Throws a TypeError when there are no destinations.
 */
export function firstOf(destinations: readonly Destination[]): Destinations {
  checkArgument("firstOf", "its argument", destinations, list);
  if (destinations.length === 0) throw new TypeError("firstOf() needs at least one destination");
  return new InOrder([...destinations]);
}

type Ask<T> = (peer: Peer, subject: string, value: unknown, options: RequestOptions) => Promise<T>;

class InOrder implements Destinations {
  readonly #destinations: readonly Destination[];

  constructor(destinations: readonly Destination[]) {
    this.#destinations = destinations;
  }

  request<T>(value: unknown, options: RequestOptions & { readonly full: true }): Promise<Reply<T>>;
  request<T>(value?: unknown, options?: RequestOptions): Promise<T>;
  request(value?: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.#try(value, options, (peer, subject, offered, rest) => peer.request(subject, offered, rest));
  }

  open(value?: unknown, options: RequestOptions = {}): Promise<Channel> {
    return this.#try(value, options, (peer, subject, offered, rest) => peer.open(subject, offered, rest));
  }

  async #try<T>(value: unknown, options: RequestOptions, ask: Ask<T>): Promise<T> {
    const first = this.#destinations[0]!.peer;
    const { clock } = EnginePeer.engineOf(first);
    const { values, timeoutMs } = EnginePeer.defaultsOf(first, options);
    const expires = clock.now() + timeoutMs;
    const attempts: Attempt[] = [];
    const offered = new Offered(values, value, options.streams);
    for (const { peer, subject } of this.#destinations) {
      const left = attempts.length === 0 ? timeoutMs : Math.max(0, expires - clock.now());
      try {
        const rest = { ...options, streams: offered.streams, timeoutMs: left };
        const answer = await ask(peer, subject, offered.value, rest);
        offered.settle(undefined);
        return answer;
      } catch (error) {
        if (error instanceof LintelError) attempts.push(described(subject, error));
        const isLast = attempts.length === this.#destinations.length;
        if (!isLast && error instanceof LintelError && error.retryable && offered.isWhole) continue;
        offered.settle(error);
        throw error instanceof LintelError ? summed(error, attempts) : error;
      }
    }
    throw new TypeError("there is no destination");
  }
}

/** A value, and streams beside it, for one destination after another. */
class Offered {
  readonly value: unknown;
  readonly streams: readonly RetryableStream[];
  readonly #offers: RetryableStream[] = [];

  /** Throws what sending the streams would throw; they have been ended then. */
  constructor(values: StreamValues, value: unknown, streams: readonly unknown[] = []) {
    const carried = new OutgoingStreams(values);
    const offer = (stream: unknown): RetryableStream => {
      const made = new RetryableStream(carried.ends[carried.add(stream)]!);
      this.#offers.push(made);
      return made;
    };
    try {
      this.streams = streams.map(offer);
      this.value = containsStream(value) ? replaceStreams(value, offer) : value;
    } catch (error) {
      carried.abort(error);
      throw error;
    }
  }

  /** True while reading cannot have begun. */
  get isWhole(): boolean {
    return this.#offers.every((offer) => offer.isWhole);
  }

  settle(error: unknown): void {
    const why = error === undefined ? failure("CALLER_GONE") : failureOf(error);
    for (const offer of this.#offers) offer.settle(why);
  }
}

function described(subject: string, { code, reason, message, retryable, details }: LintelError): Attempt {
  return { subject, code, reason, message, retryable, ...(details === undefined ? {} : { details }) };
}

function summed(last: LintelError, attempts: readonly Attempt[]): LintelError {
  const { code, message, reason, retryable } = last;
  return new LintelError(code, message, { reason, retryable, details: { attempts }, cause: last });
}
