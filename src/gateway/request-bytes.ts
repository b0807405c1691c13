/** Requests of a gateway that has bytes, wants bytes, and likes a promise better than speed. */
import { GuardedEngine } from "../access/guarded-engine.ts";
import { LimitedEngine } from "../access/quota/limited-engine.ts";
import type { Engine } from "../engine/engine.ts";
import { callerOfSession } from "../message/caller.ts";
import type { Sink } from "../message/delivery.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import { MessageHeaders, formatHeaders } from "../message/headers.ts";
import { Format, Message } from "../message/message.ts";
import type { Origin } from "../message/origin.ts";
import { encodeUtf8 } from "../message/text.ts";
import { unsentAnswer } from "../message/unsent.ts";
import { discardStreams } from "../stream/stream.ts";

export interface BytesRequest {
  readonly subject: string;
  /** Text is sent as UTF-8. */
  readonly body: string | Uint8Array;
  /** What the body is. Default: JSON. */
  readonly contentType?: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
  /** Where the request comes from. `remote` is a URL such as `tcp://10.0.0.7:51324`; its address counts as the caller. */
  readonly origin: Origin;
  /** Withdraws the request when its caller has left: the worker's signal fires, and the promise rejects as `CALLER_GONE`. */
  readonly signal?: AbortSignal;
}

const ignore = (): void => undefined;

export interface BytesAnswer {
  readonly body: Uint8Array;
  readonly headers: MessageHeaders;
}

/**
 * Sends a request to one worker. `engine` is the one that admission has given for the caller. Rejects with a LintelError:
 * the failure of the request, `UNAUTHENTICATED` when the caller's credentials end before it does, or `STREAMS_UNSUPPORTED` when the answer has streams.
 */
export function requestBytes(engine: Engine, request: BytesRequest): Promise<BytesAnswer> {
  return new Promise((resolve, reject) => {
    const { subject, body, contentType, timeoutMs, origin, signal } = request;
    const route = engine.route(subject);
    const head = contentType === undefined ? "" : formatHeaders({ "content-type": contentType });
    const bytes = typeof body === "string" ? encodeUtf8(body) : body;
    let unwatch = ignore;
    const settled = (): void => {
      signal?.removeEventListener("abort", onAbort);
      unwatch();
    };
    let handle = 0;
    const sink = new BytesSink(origin, resolve, reject, settled);
    const withdraw = (why: Failure): void => {
      engine.cancel(handle);
      sink.failed(0, why);
    };
    const onAbort = (): void => withdraw(failure("CALLER_GONE"));
    if (signal?.aborted === true) return reject(LintelError.of("CALLER_GONE"));
    if (engine instanceof GuardedEngine || engine instanceof LimitedEngine) unwatch = engine.watch(withdraw);
    signal?.addEventListener("abort", onAbort);
    handle = engine.request(route, Message.ofBytes(bytes, head, Format.typed), timeoutMs, sink, 0);
    if (signal?.aborted) engine.cancel(handle); // what the request itself set going has aborted it
  });
}

class BytesSink implements Sink {
  readonly #origin: Origin;
  readonly #resolve: (answer: BytesAnswer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #settled: () => void;

  constructor(
    origin: Origin,
    resolve: (answer: BytesAnswer) => void,
    reject: (error: unknown) => void,
    settled: () => void,
  ) {
    this.#origin = origin;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#settled = settled;
  }

  answered(tag: number, answer: Message): void {
    if (answer.streams !== undefined) {
      discardStreams(answer);
      return this.failed(tag, failure("STREAMS_UNSUPPORTED", "this gateway cannot pass streams on"));
    }
    try {
      this.#resolve({ body: answer.payload(), headers: new MessageHeaders(answer.headText()) });
      this.#settled();
    } catch (error) {
      this.failed(tag, unsentAnswer(answer, error));
    }
  }

  failed(_tag: number, why: Failure): void {
    this.#settled();
    this.#reject(LintelError.from(why));
  }

  callerOf(): string {
    return callerOfSession(this.#origin.remote ?? "", 0);
  }

  originOf(): Origin {
    return this.#origin;
  }
}
