/** Request bodies that reach their worker as they arrive. */
import { failure, type Failure } from "../../message/failure.ts";
import { Format, Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { ROOT_LINE } from "../../stream/stream.ts";
import { CreditPump, type PumpSource } from "../../stream/credit-pump.ts";
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
 * | dropped | the rest is not wanted; it is read so that the caller can read its answer | complete |
 * | complete| all has come in, or nothing more will              |                   |
 */
export class Upload implements IncomingStream, StreamEvents, PumpSource {
  readonly exchange: Exchange;
  readonly #end: StreamEnd;
  readonly #far: StreamEnd;
  readonly #most: number;
  readonly #settings: HttpSettings;
  readonly #onTooLarge: () => void;
  #state: "flowing" | "dropped" | "complete" = "flowing";
  readonly #pump: CreditPump;
  #received = 0;
  #hasAll = false;
  #timer: unknown;

  /** `most` bytes may come; `onTooLarge` is called when there are more. */
  constructor(exchange: Exchange, most: number, settings: HttpSettings, onTooLarge: () => void) {
    this.exchange = exchange;
    [this.#end, this.#far] = createStream({ sends: true, receives: false, messages: false });
    this.#pump = new CreditPump(this.#end, this);
    this.#most = most;
    this.#settings = settings;
    this.#onTooLarge = onTooLarge;
  }

  /** True if the other side waits for the caller. */
  get isAwaited(): boolean {
    return this.#state === "flowing" && this.#pump.isIdle;
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
    request.on("end", () => this.#ended());
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

  // PumpSource

  pause(): void {
    this.exchange.request.pause();
  }

  resume(): void {
    this.exchange.request.resume();
  }

  sentAll(): void {
    this.#state = "complete";
    this.forget();
  }

  // StreamEvents

  data(): void {
    // nothing is sent to a body
  }

  ended(): void {
    // as above
  }

  granted(bytes: number): void {
    this.#pump.granted(bytes);
  }

  ready(): boolean {
    return true;
  }

  writable(): void {
    this.#pump.writable();
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
      this.#pump.stop();
      this.#state = "dropped";
      return this.#onTooLarge();
    }
    this.#pump.push(Message.ofBytes(piece));
  }

  #ended(): void {
    this.#hasAll = true;
    if (this.#state === "dropped") this.sentAll();
    else this.#pump.finish();
  }

  #drop(): void {
    if (this.#state !== "flowing") return;
    this.#state = "dropped";
    this.#pump.stop();
    if (this.#hasAll) this.sentAll();
    else this.exchange.request.resume();
  }
}
