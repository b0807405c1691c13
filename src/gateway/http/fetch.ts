/** Requests and responses as `fetch` has them, in the form the gateway reads and writes. */
import type { Incoming, Line, Outgoing } from "./connection.ts";
import type { Problem } from "./problem.ts";

/** A request whose body is read when somebody listens for it. */
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

  /** What is left of the body has no taker: its sender is told so. */
  resume(): void {
    if (this.#state === "unread") this.#body?.cancel().catch(() => undefined);
    if (this.#state !== "complete") this.#state = "dropped";
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    this.#state = "reading";
    let received = 0;
    try {
      const reader = body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (this.#isDropped) return await reader.cancel();
        if (done) break;
        received += value.length;
        this.#onData?.(Buffer.from(value.buffer, value.byteOffset, value.length));
      }
    } catch {
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

/** A response that resolves a promise when it is written. */
export class FetchResponse implements Outgoing {
  readonly #resolve: (response: Response) => void;
  readonly #isHead: boolean;
  #status = 200;
  #headers: readonly string[] = [];

  constructor(isHead: boolean, resolve: (response: Response) => void) {
    this.#isHead = isHead;
    this.#resolve = resolve;
  }

  writeContinue(): void {
    // whoever has received the request has seen to that
  }

  writeHead(status: number, headers: readonly string[]): void {
    this.#status = status;
    this.#headers = headers;
  }

  end(body?: string | Uint8Array): void {
    const headers = new Headers();
    for (let index = 0; index < this.#headers.length; index += 2) {
      headers.append(this.#headers[index]!, this.#headers[index + 1]!);
    }
    const status = this.#status;
    const hasBody = !this.#isHead && status !== 204 && status !== 205 && status !== 304;
    const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body;
    this.#resolve(new Response(hasBody && bytes !== undefined ? bytes : null, { status, headers }));
  }
}

/** The line of a request that has been received by somebody else, who has not told by what means. */
export class FetchLine implements Line {
  readonly base: string;
  readonly #response: FetchResponse;

  constructor(base: string, response: FetchResponse) {
    this.base = base;
    this.#response = response;
  }

  pause(): void {
    // there is one request
  }

  resume(): void {
    // there is one request
  }

  cut(): void {
    // nothing of the connection is known
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
