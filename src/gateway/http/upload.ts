/** Request bodies that reach their worker as they arrive. */
import { viewOf } from "../../message/bytes.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { Format, Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { INITIAL_CREDIT, ROOT_LINE } from "../../stream/stream.ts";
import { BODY_TOO_LARGE } from "./body-limit.ts";
import type { Exchange, IncomingStream } from "./connection.ts";
import type { HttpSettings } from "./options.ts";

const NO_BYTES = new Uint8Array(0);
const ANSWERED = Object.freeze(failure("CALLER_GONE", "the request has ended before its body"));

/**
 * A body on its way into a stream, as fast as its worker reads: no more of it is read from the caller than the worker has
 * granted, and one piece.
 *
 * | state   | meaning                                            | next              |
 * |---------|----------------------------------------------------|-------------------|
 * | flowing | it comes in, or waits for credit                   | dropped, complete |
 * | dropped | nobody wants the rest: read so that the caller gets to read its answer | complete |
 * | complete| all has come in, or nothing more will              |                   |
 */
export class Upload implements IncomingStream, StreamEvents {
  readonly exchange: Exchange;
  readonly #end: StreamEnd;
  readonly #far: StreamEnd;
  readonly #most: number;
  readonly #settings: HttpSettings;
  readonly #onTooLarge: () => void;
  #state: "flowing" | "dropped" | "complete" = "flowing";
  #credit = INITIAL_CREDIT;
  #received = 0;
  /** What has arrived and waits for credit; the caller is not read meanwhile. */
  #rest: Uint8Array | undefined;
  #isPaused = false;
  #hasAll = false;
  #timer: unknown;

  /** `most` bytes may come; `onTooLarge` is called when there are more. */
  constructor(exchange: Exchange, most: number, settings: HttpSettings, onTooLarge: () => void) {
    this.exchange = exchange;
    [this.#end, this.#far] = createStream({ sends: true, receives: false, messages: false });
    this.#most = most;
    this.#settings = settings;
    this.#onTooLarge = onTooLarge;
  }

  /** True when it is the caller who keeps everybody waiting. */
  get isAwaited(): boolean {
    return this.#state === "flowing" && this.#rest === undefined;
  }

  /** The request for its worker, whose value is the body. To be made once. */
  message(head: string): Message {
    const message = Message.ofBytes(NO_BYTES, head + ROOT_LINE, Format.typed);
    message.streams = [this.#far];
    return message;
  }

  /** To be called when the message has been sent. */
  begin(): void {
    const { request, connection } = this.exchange;
    connection.upload = this;
    this.#end.listen(this);
    request.on("data", (piece) => this.#arrived(piece));
    request.on("end", () => this.#complete());
  }

  /** The exchange is over. What is still to come is dropped, for as long as a request may take to arrive. */
  stop(): void {
    if (this.#state === "flowing") this.#end.reset(ANSWERED);
    this.#drop();
    const { connection } = this.exchange;
    if (connection.upload !== this) return;
    const { clock, requestTimeoutMs } = this.#settings;
    this.#timer = clock.after(requestTimeoutMs, () => connection.driver.cut());
  }

  /** The connection is over. */
  forget(): void {
    this.#settings.clock.clear(this.#timer);
    this.exchange.connection.upload = undefined;
  }

  // StreamEvents

  data(): void {
    // nothing is sent to a body
  }

  ended(): void {
    // as above
  }

  granted(bytes: number): void {
    this.#credit += bytes;
    this.#pump();
  }

  ready(): boolean {
    return true;
  }

  writable(): void {
    this.#pump();
  }

  /** The worker wants no more of it. What it answers is another matter. */
  reset(_why: Failure): void {
    this.#drop();
  }

  #arrived(piece: Buffer): void {
    if (this.#state !== "flowing") return;
    this.#received += piece.length;
    if (this.#received > this.#most) {
      this.#end.reset(BODY_TOO_LARGE);
      this.#state = "dropped";
      return this.#onTooLarge();
    }
    this.#rest = piece;
    this.#pump();
  }

  #pump(): void {
    while (this.#rest !== undefined) {
      if (this.#credit <= 0 || !this.#end.ready()) {
        if (!this.#isPaused) this.exchange.request.pause();
        this.#isPaused = true;
        return;
      }
      const bytes = this.#rest;
      const size = Math.min(bytes.length, this.#credit);
      this.#credit -= size;
      this.#rest = size === bytes.length ? undefined : viewOf(bytes, size, bytes.length);
      this.#end.send(Message.ofBytes(viewOf(bytes, 0, size)));
    }
    if (this.#hasAll) this.#finish();
    else this.#proceed();
  }

  #proceed(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.exchange.request.resume();
  }

  #complete(): void {
    this.#hasAll = true;
    if (this.#rest === undefined) this.#finish();
  }

  #finish(): void {
    if (this.#state === "flowing") this.#end.end();
    this.#state = "complete";
    this.forget();
  }

  #drop(): void {
    if (this.#state !== "flowing") return;
    this.#state = "dropped";
    this.#rest = undefined;
    if (this.#hasAll) return this.#finish();
    this.#proceed();
    this.exchange.request.resume();
  }
}
