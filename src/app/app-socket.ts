/** A connection to an app that exists in memory only. `node:http` speaks HTTP on it and never knows. */
import { Duplex } from "node:stream";
import { failure, toFailure } from "../message/failure.ts";
import { Message } from "../message/message.ts";
import type { SharedByStreams } from "../peer/stream/values.ts";
import { Port } from "../peer/stream/port.ts";
import { WHOLE, type Answer } from "./answer.ts";
import type { AppRequest } from "./request.ts";
import { ResponseReader } from "./response-reader.ts";

type Done = (error?: Error | null) => void;

const NO_BYTES = new Uint8Array(0);
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const CRLF = Buffer.from("\r\n");
const NO_ANSWER = Object.freeze(failure("BAD_ANSWER", "the app closed the connection without an answer"));
const HALF_ANSWER = Object.freeze(failure("SOURCE_FAILED", "the app broke off its answer"));

/** The owner of sockets, which is told what happens to them. */
export interface AppSocketOwner {
  readonly streams: SharedByStreams;
  /** The exchange is over: the socket can take another one. */
  free(socket: AppSocket): void;
  /** Its caller has the whole answer, but the app has not ended it yet. */
  linger(socket: AppSocket): void;
  /** The answer is not what the app has said of it. */
  unsent(error: unknown): void;
  closed(socket: AppSocket): void;
}

/** Carries one request at a time. What apps ask of a socket is there: addresses, `setTimeout`, and the like. */
export class AppSocket extends Duplex {
  readonly remoteAddress: string | undefined;
  readonly remoteFamily: "IPv4" | "IPv6" | undefined;
  /** True when the caller came by HTTPS. */
  readonly encrypted: boolean;
  /** As of a socket. Milliseconds, 0 for none. */
  timeout = 0;
  /** The request under way, or the last one. */
  request: AppRequest | undefined;
  readonly #owner: AppSocketOwner;
  #answer: Answer | undefined;
  /** The app has ended its response to the last request. */
  #hasEnded = true;
  #reader = new ResponseReader(false);
  /** Where the body of the answer goes, once it is clear that it comes in pieces. */
  #out: Port | undefined;
  /** Where the body of the request comes from, when it comes in pieces. */
  #in: Port | undefined;
  #isReading = false;
  /** Bytes of the body that are still to come; undefined if it is unknown. */
  #left: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(remote: string | undefined, encrypted: boolean, owner: AppSocketOwner) {
    super({ allowHalfOpen: true });
    this.remoteAddress = remote;
    this.remoteFamily = remote === undefined ? undefined : remote.includes(":") ? "IPv6" : "IPv4";
    this.encrypted = encrypted;
    this.#owner = owner;
    this.on("error", () => undefined); // 'close' follows, and says all that matters
  }

  /** Sends a request to the app, when the one before is over. */
  begin(request: AppRequest, answer: Answer): void {
    this.request = request;
    this.#answer = answer;
    this.#reader = new ResponseReader(request.method === "HEAD");
    this.#out = undefined;
    this.#hasEnded = false;
    this.#timer?.refresh();
    answer.onGone(() => {
      if (this.#answer === answer) this.destroy();
    });
    const head = headOf(request);
    const { body } = request;
    if (body instanceof Uint8Array) {
      this.push(Buffer.concat([head, body]));
      return;
    }
    this.#left = request.length;
    this.#in = body === undefined ? undefined : new Port(body, this.#owner.streams);
    if (this.push(head)) this.#pull();
  }

  /** The app has ended its response, all of which has been read. What is missing will not come. */
  ended(): void {
    this.#hasEnded = true;
    if (this.#answer === undefined) this.#settle();
    else if (this.#reader.state !== "done" && this.#reader.state !== "rest")
      this.#distrust(this.#reader.missing());
  }

  /** The app has failed. Its caller hears of that unless an answer has begun. */
  fail(): void {
    this.#answer?.fail(this.#out === undefined ? failure("HANDLER_FAILED") : HALF_ANSWER);
    this.destroy();
  }

  setTimeout(ms: number, listener?: () => void): this {
    clearTimeout(this.#timer);
    this.timeout = ms;
    this.#timer = ms > 0 ? setTimeout(() => this.emit("timeout"), ms) : undefined;
    this.#timer?.unref();
    if (listener !== undefined) {
      if (ms > 0) this.once("timeout", listener);
      else this.off("timeout", listener);
    }
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  address(): Record<string, never> {
    return {};
  }

  destroySoon(): void {
    if (this.writable) this.end(() => this.destroy());
    else this.destroy();
  }

  override _read(): void {
    this.#pull();
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#written([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#written(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  /** The app, or its server, has ended the connection. */
  override _final(done: Done): void {
    if (this.#answer !== undefined && this.#reader.end()) this.#deliver(done);
    else done();
    this.destroy();
  }

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#timer);
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.fail(this.#out === undefined ? NO_ANSWER : HALF_ANSWER);
    this.#in?.abort(failure("CALLER_GONE", "the app stopped reading"));
    this.#in = undefined;
    this.#owner.closed(this);
    done(error);
  }

  /** Gives the app as much of the request's body as it has room for. */
  #pull(): void {
    const port = this.#in;
    if (port === undefined || this.#isReading) return;
    this.#isReading = true;
    port.take().then(
      (message) => {
        this.#isReading = false;
        if (port !== this.#in) return;
        if (this.#arrived(message)) this.#pull();
      },
      () => this.destroy(), // its sender has left, or has broken it off
    );
  }

  /** False when there is no room for more, or no more to come. */
  #arrived(message: Message | undefined): boolean {
    const left = this.#left;
    if (message === undefined) {
      this.#in = undefined;
      // A body shorter than it was said to be would make the next request part of it.
      if (left === undefined) this.push(LAST_CHUNK);
      else if (left > 0) this.destroy();
      return false;
    }
    const bytes = message.payload();
    if (bytes.length === 0) return true;
    if (left === undefined) {
      this.push(Buffer.from(`${bytes.length.toString(16)}\r\n`, "latin1"));
      this.push(bytes);
      return this.push(CRLF);
    }
    if (bytes.length > left) {
      this.destroy();
      return false;
    }
    this.#left = left - bytes.length;
    return this.push(bytes);
  }

  #written(chunks: readonly Buffer[], done: Done): void {
    this.#timer?.refresh();
    if (this.#answer === undefined) {
      if (!this.#hasEnded) this.#distrust(this.#reader.excess());
      return done(); // data that was not asked for
    }
    try {
      for (const chunk of chunks) this.#reader.feed(chunk);
    } catch (error) {
      this.#distrust(error);
      return done(error as Error);
    }
    return this.#deliver(done);
  }

  /** Hands on what has been read of the response. */
  #deliver(done: Done): void {
    const reader = this.#reader;
    const answer = this.#answer;
    if (answer === undefined || reader.state === "head") return done();
    const isWhole = reader.state === "done";
    if (this.#out === undefined) {
      if (isWhole && reader.size <= WHOLE && reader.trailers === "") {
        answer.whole(reader.head, joined(reader.take()));
        this.#finish();
        return done();
      }
      const announced = reader.announced;
      const head = announced === undefined ? reader.head : `${reader.head}:trailers:${announced}\n`;
      this.#out = answer.stream(head, announced !== undefined);
    }
    void this.#forward(this.#out, answer, isWhole, done);
  }

  /** Sends what has come of the body; `done` lets the app go on. */
  async #forward(port: Port, answer: Answer, isWhole: boolean, done: Done): Promise<void> {
    try {
      await this.#send(port, this.#reader.take(), isWhole);
      if (isWhole && answer === this.#answer) this.#finish();
    } catch (error) {
      this.destroy(error as Error);
    }
    done();
  }

  async #send(port: Port, pieces: readonly Uint8Array[], isWhole: boolean): Promise<void> {
    const { announced, trailers } = this.#reader;
    for (const piece of pieces) {
      if (announced === undefined) await port.write(piece);
      else await port.send(Message.ofBytes(piece));
    }
    if (!isWhole) return;
    if (announced !== undefined && trailers !== "") await port.send(Message.ofBytes(NO_BYTES, trailers));
    port.end();
  }

  /** The response is complete. What of the request was not read by then is not worth a connection. */
  #finish(): void {
    this.#answer = undefined;
    if (this.#hasEnded) this.#settle();
    else this.#owner.linger(this);
  }

  /** Nothing more comes of the response: the next one may follow. */
  #settle(): void {
    const isReusable = this.#reader.keepsAlive && this.#in === undefined;
    setImmediate(() => {
      if (this.destroyed || this.#answer !== undefined) return;
      if (isReusable && this.readableLength === 0 && this.writable) this.#owner.free(this);
      else this.destroy();
    });
  }

  /** What the app writes is not what it has said: the caller is told, if possible, and so is `onError` of the app. */
  #distrust(error: unknown): void {
    if (this.#reader.isHttp) this.#owner.unsent(error); // else the app speaks something else, and knows
    this.#answer?.fail(toFailure(error));
    this.destroy();
  }
}

/** The head of a request as it is written. Names and values have been checked. */
function headOf({ method, target, host, headers, body, length }: AppRequest): Buffer {
  let head = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  if (length === undefined) head += "transfer-encoding: chunked\r\n";
  else if (body !== undefined || TAKES_BODY.has(method)) head += `content-length: ${length}\r\n`;
  return Buffer.from(`${head}\r\n`, "latin1");
}

const TAKES_BODY = new Set(["POST", "PUT", "PATCH"]);

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : pieces.length === 0 ? NO_BYTES : Buffer.concat(pieces);
}
