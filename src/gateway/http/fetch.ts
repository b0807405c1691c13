/** Requests and responses as `fetch` has them, in the form the gateway reads and writes. */
import { bytesOf } from "../../message/bytes.ts";
import { LintelError } from "../../message/failure.ts";
import { ANYWHERE, type ListenerAddress } from "../../transport/origins.ts";
import type { Delivery } from "../http-api.ts";
import type { Incoming, ConnectionDriver, Outgoing } from "./connection.ts";
import type { Problem } from "./problem.ts";

/** A request whose body is read when it gets a listener. */
export class FetchRequest implements Incoming {
  readonly method: string;
  readonly httpVersionMajor = 1;
  readonly httpVersionMinor = 1;
  readonly rawHeaders: readonly string[];
  readonly #body: ReadableStream<Uint8Array> | null;
  readonly #declared: number | undefined;
  readonly #onCutOff: () => void;
  #onData: ((piece: Buffer) => void) | undefined;
  #onEnd: (() => void) | undefined;
  #state: "unread" | "reading" | "dropped" | "complete";
  /** Set while it is paused: reads on. */
  #onResume: (() => void) | undefined;
  #isPaused = false;

  /** `onCutOff` is called when the body ends before its end. */
  constructor(request: Request, url: URL, onCutOff: () => void) {
    this.method = request.method;
    this.#body = request.body;
    this.#onCutOff = onCutOff;
    this.#state = this.#body === null ? "complete" : "unread";
    const declared = request.headers.get("content-length");
    this.#declared = declared === null ? undefined : Number(declared);
    this.rawHeaders = rawHeadersOf(request, url, this.#body !== null && declared === null);
  }

  get complete(): boolean {
    return this.#state === "complete";
  }

  on(event: "data", listener: (piece: Buffer) => void): void;
  on(event: "end", listener: () => void): void;
  on(event: "data" | "end", listener: ((piece: Buffer) => void) & (() => void)): void {
    if (event === "end") this.#onEnd = listener;
    else this.#onData = listener;
    if (this.#state === "unread" && this.#body !== null) void this.#read(this.#body);
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on after `pause`. Else what is left of the body has no taker: its sender is told so. */
  resume(): void {
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#onResume?.();
      return;
    }
    if (this.#state === "unread") this.#body?.cancel().catch(() => undefined);
    if (this.#state !== "complete") this.#state = "dropped";
  }

  async #read(body: ReadableStream<unknown>): Promise<void> {
    this.#state = "reading";
    let received = 0;
    let reader: ReadableStreamDefaultReader<unknown> | undefined;
    try {
      reader = body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (this.#isDropped) return await reader.cancel();
        if (done) break;
        const piece = bytesOf(value);
        received += piece.length;
        this.#onData?.(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
        if (this.#isPaused) await new Promise<void>((resolve) => (this.#onResume = resolve));
      }
    } catch (error) {
      reader?.cancel(error).catch(() => undefined);
      return this.#onCutOff();
    }
    if (received < (this.#declared ?? 0)) return this.#onCutOff();
    this.#state = "complete";
    this.#onEnd?.();
  }

  get #isDropped(): boolean {
    return this.#state === "dropped";
  }
}

/** The head as it would have been sent. `Host` comes from the URL where it is not among the headers. */
function rawHeadersOf({ headers }: Request, { host }: URL, isChunked: boolean): string[] {
  const raw: string[] = [];
  if (!headers.has("host")) raw.push("host", host);
  for (const [name, value] of headers) {
    if (name !== "transfer-encoding") raw.push(name, value);
  }
  if (isChunked) raw.push("transfer-encoding", "chunked");
  return raw;
}

/** What happens to a response. */
export interface FetchOutcome {
  /** Its head is there. */
  readonly resolve: (response: Response) => void;
  /** Its body is, too, or never will be. */
  readonly onOver: () => void;
  /** Its body is no longer read. */
  readonly onGone: () => void;
}

/** What the reader of a body that comes in pieces may leave unread before it is waited for. Bytes. */
const UNREAD = 65_536;

/** A response that resolves a promise when its head is written. */
export class FetchResponse implements Outgoing {
  readonly #outcome: FetchOutcome;
  readonly #isHead: boolean;
  #status = 200;
  #headers: readonly string[] = [];
  /** Set when the body comes in pieces. */
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  #onDrain: () => void = () => undefined;

  constructor(isHead: boolean, outcome: FetchOutcome) {
    this.#isHead = isHead;
    this.#outcome = outcome;
  }

  get writableNeedDrain(): boolean {
    return this.#body !== undefined && this.#body.desiredSize! <= 0;
  }

  on(_event: "drain", listener: () => void): void {
    this.#onDrain = listener;
  }

  writeContinue(): void {
    // the server that received the request has done that
  }

  writeHead(status: number, headers: readonly string[]): void {
    this.#status = status;
    this.#headers = headers;
  }

  flushHeaders(): void {
    this.#pieces();
  }

  write(piece: string | Uint8Array): boolean {
    const body = this.#pieces();
    if (piece.length > 0) body.enqueue(latin1Of(piece));
    return body.desiredSize! > 0;
  }

  end(body?: string | Uint8Array): void {
    if (this.#body !== undefined) {
      if (body !== undefined) this.#body.enqueue(latin1Of(body));
      this.#body.close();
    } else {
      const status = this.#status;
      const hasBody = !this.#isHead && status !== 204 && status !== 205 && status !== 304;
      this.#respond(hasBody && body !== undefined ? latin1Of(body) : null);
    }
    this.#outcome.onOver();
  }

  addTrailers(): void {
    // a response of the platform has none
  }

  /** Breaks off a body that comes in pieces. */
  fail(error: Error): void {
    this.#body?.error(error);
    this.#outcome.onOver();
  }

  #pieces(): ReadableStreamDefaultController<Uint8Array> {
    if (this.#body !== undefined) return this.#body;
    const { onGone } = this.#outcome;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#body = controller;
        },
        pull: () => this.#onDrain(),
        cancel: () => onGone(),
      },
      { highWaterMark: UNREAD, size: (piece) => piece.length },
    );
    this.#respond(body);
    return this.#body!;
  }

  #respond(body: ReadableStream<Uint8Array> | Uint8Array | null): void {
    const headers = new Headers();
    for (let index = 0; index < this.#headers.length; index += 2) {
      headers.append(this.#headers[index]!, this.#headers[index + 1]!);
    }
    this.#outcome.resolve(new Response(body, { status: this.#status, headers }));
  }
}

function latin1Of(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? Buffer.from(text, "latin1") : text;
}

/** The driver of a request that other code has received in an unknown way. */
export class FetchDriver implements ConnectionDriver {
  readonly base: string;
  readonly remote: undefined;
  readonly at: ListenerAddress = ANYWHERE;
  readonly isSecure: boolean;
  readonly #response: FetchResponse;

  constructor(base: string, isSecure: boolean, response: FetchResponse) {
    this.base = base;
    this.isSecure = isSecure;
    this.#response = response;
  }

  get isOpen(): boolean {
    return true; // an abort counts as leaving
  }

  pause(): void {
    // there is one request
  }

  resume(): void {
    // there is one request
  }

  ended(): void {
    // a request has no side of its own
  }

  watch(_response: Outgoing, delivery: Delivery): void {
    delivery.taken();
  }

  cut(): void {
    this.#response.fail(LintelError.of("CONNECTION_LOST", "the answer was broken off"));
  }

  end(_response: Outgoing, isWhole: boolean): void {
    if (!isWhole) this.cut();
  }

  refuse({ status, headers, body }: Problem): void {
    this.#response.writeHead(status, headers);
    this.#response.end(body);
  }

  handOver(): boolean {
    return false;
  }

  closed(): void {
    // nothing is kept
  }
}
