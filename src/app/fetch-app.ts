/** Apps that are functions from `Request` to `Response`: Hono and its kin. */
import { Codecs } from "../codec/codecs.ts";
import { bytesOf } from "../message/bytes.ts";
import { DeclaredLength } from "../message/declared-length.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import type { Port } from "../peer/stream/port.ts";
import type { SharedByStreams } from "../peer/stream/values.ts";
import { giveUp, received } from "../peer/stream/received.ts";
import { StreamValues } from "../peer/stream/stream-values.ts";
import { WHOLE, type Answer } from "./answer.ts";
import type { App, OnError } from "./listener-app.ts";
import type { AppRequest } from "./request.ts";

/** What a fetch handler gets besides the request, in the form of `@hono/node-server`. */
export interface FetchEnvironment {
  readonly incoming: { readonly socket: { readonly remoteAddress: string | undefined } };
}

export type FetchHandler = (request: Request, environment: FetchEnvironment) => Response | Promise<Response>;

const MICROTASKS = 16;
const NO_BYTES = new Uint8Array(0);

export class FetchApp implements App {
  readonly #handler: FetchHandler;
  readonly #onError: OnError;
  readonly #values: StreamValues;

  constructor(handler: FetchHandler, streams: SharedByStreams, onError: OnError) {
    this.#handler = handler;
    this.#onError = onError;
    this.#values = new StreamValues(Codecs.builtIn, streams, onError);
  }

  begin(request: AppRequest, answer: Answer): void {
    void this.#serve(request, answer);
  }

  close(): void {
    // nothing is kept
  }

  async #serve(about: AppRequest, answer: Answer): Promise<void> {
    const controller = new AbortController();
    let reader: ReadableStreamDefaultReader<unknown> | undefined;
    answer.onGone((why) => {
      const error = LintelError.from(why);
      controller.abort(error);
      reader?.cancel(error).catch(() => undefined);
    });
    try {
      const request = this.#requestOf(about, controller.signal);
      if ("code" in request) return answer.fail(request);
      const { remote } = about;
      const response: unknown = await this.#handler(request, {
        incoming: { socket: { remoteAddress: remote } },
      });
      if (!isResponse(response)) throw new TypeError("the app did not answer with a Response");
      if (answer.state !== "open") return void response.body?.cancel().catch(() => undefined);
      if (response.status < 200)
        return answer.fail(
          failure("BAD_ANSWER", "the app answered with an error response, which has no status"),
        );
      const head = headOf(response);
      const declared = response.headers.get("content-length");
      const length = declared === null ? undefined : new DeclaredLength(declared);
      if (response.body === null || about.method === "HEAD") {
        response.body?.cancel().catch(() => undefined);
        return answer.whole(head, NO_BYTES);
      }
      reader = response.body.getReader();
      await deliver(head, reader, answer, length);
    } catch (error) {
      if (answer.state === "over") return; // the caller has left, and this is what came of it
      const isKnown = error instanceof LintelError;
      if (!isKnown || error.reason === "BAD_ANSWER") this.#onError(error, "the app");
      if (isKnown && error.reason === "BAD_ANSWER") answer.fail(error.toFailure());
      else answer.fail(answer.state === "open" ? failure("HANDLER_FAILED") : failure("SOURCE_FAILED"));
      controller.abort(error);
      reader?.cancel(error).catch(() => undefined); // it may have failed for what it gave, and go on forever
    }
  }

  #requestOf(about: AppRequest, signal: AbortSignal): Request | Failure {
    const { method, scheme, host, target, headers, body } = about;
    const mayHaveBody = method !== "GET" && method !== "HEAD";
    const stream =
      body === undefined || body instanceof Uint8Array ? undefined : received(body, this.#values);
    if (stream !== undefined && (!mayHaveBody || !(stream instanceof ReadableStream))) giveUp(stream);
    try {
      const request = new Request(`${scheme}://${host}${target}`, {
        method,
        headers: [["host", host], ...headers.map(([name, value]): [string, string] => [name, value])],
        signal,
        ...(mayHaveBody && body !== undefined
          ? { body: (stream ?? body) as ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>, duplex: "half" }
          : {}),
      });
      if (about.length !== undefined && mayHaveBody && body !== undefined)
        request.headers.set("content-length", String(about.length));
      return request;
    } catch {
      if (stream !== undefined) giveUp(stream);
      return failure("BAD_REQUEST", "fetch cannot represent this request");
    }
  }
}

/** Sends what is there at once whole, and all else as it comes; of that `length` is what the app has said, if it has. */
async function deliver(
  head: string,
  reader: ReadableStreamDefaultReader<unknown>,
  answer: Answer,
  length: DeclaredLength | undefined,
): Promise<void> {
  let next = reader.read();
  const first = await soon(next);
  if (first?.done === true) return answer.whole(head, NO_BYTES);
  const bytes = first === undefined ? undefined : bytesOf(first.value);
  if (bytes !== undefined) next = reader.read();
  const second = bytes === undefined ? undefined : await soon(next);
  if (bytes !== undefined && second?.done === true && bytes.length <= WHOLE) return answer.whole(head, bytes);
  const port = answer.stream(head, false);
  if (bytes !== undefined) await send(port, bytes, length);
  for (let result = await next; !result.done; result = await reader.read())
    await send(port, bytesOf(result.value), length);
  length?.end();
  port.end();
}

function send(port: Port, bytes: Uint8Array, length: DeclaredLength | undefined): Promise<void> | undefined {
  length?.add(bytes.length);
  return port.write(bytes);
}

/** What a promise resolves with, if that is known in this turn of the loop. Rejects as the promise does in it. */
async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  let isSettled = false;
  const settle = (): void => void (isSettled = true);
  promise.then(settle, settle);
  // What is in memory is there after a few of these, which cost next to nothing.
  for (let turn = 0; turn < MICROTASKS && !isSettled; turn++) await Promise.resolve();
  if (!isSettled) await new Promise(setImmediate);
  return isSettled ? promise : undefined;
}

/** Those of polyfills are no instances of the platform's. */
function isResponse(value: unknown): value is Response {
  return (
    typeof value === "object" && value !== null && "status" in value && "headers" in value && "body" in value
  );
}

function headOf({ status, headers }: Response): string {
  let head = `:status:${status}\n`;
  for (const [name, value] of headers) head += `${name}:${value}\n`;
  return head;
}
