/** The sending half of a stream, for whatever is read from elsewhere and sent on. */
import type { Failure } from "../message/failure.ts";
import { Message, type StreamEnd } from "../message/message.ts";
import { INITIAL_CREDIT, discardStreams, messageCost } from "./stream.ts";

/** What fills a pump. */
export interface PumpSource {
  /** Something waits to be sent: nothing more should come until `resume`. */
  pause(): void;
  /** Everything has been sent: more may come. Called after `pause` only. */
  resume(): void;
  /** Everything has been sent, and END after it. */
  sentAll(): void;
  /** Something that had to wait could not be sent, for this reason. It is dropped, and the next is sent. */
  refused?(error: unknown, message: Message): void;
}

/**
 * Sends what its source pushes, as far as the other end of the stream has granted credit and the way there has room. The
 * rest waits, and the source is paused, so that what one read gave waits at the most.
 *
 * | state  | meaning                              | next         |
 * |--------|--------------------------------------|--------------|
 * | open   | the source may push more             | ending, over |
 * | ending | what waits is sent, and END after it | over         |
 * | over   | nothing is sent any more             |              |
 */
export class CreditPump {
  readonly #end: StreamEnd;
  readonly #source: PumpSource;
  #state: "open" | "ending" | "over";
  #credit = INITIAL_CREDIT;
  readonly #waiting: Message[] = [];
  #isSending = false;
  #isPaused = false;

  constructor(end: StreamEnd, source: PumpSource) {
    this.#end = end;
    this.#source = source;
    this.#state = end.sends ? "open" : "over";
  }

  /** True until END was sent, or the pump was stopped. */
  get isOpen(): boolean {
    return this.#state !== "over";
  }

  /** True when nothing waits to be sent. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#isSending;
  }

  /** Bytes that may be sent. Negative after a message that was larger than what was left. */
  get credit(): number {
    return this.#credit;
  }

  /**
   * Sends a message, or bytes as a message's payload, now or when it can. The message is the pump's from now on. Throws
   * what the stream does not take, if that is known now.
   */
  push(message: Message): void {
    if (this.#state !== "open") return discardStreams(message);
    const size = message.end - message.payloadStart;
    const { messages } = this.#end;
    if (size === 0 && !messages) return undefined;
    const isFirst = this.#waiting.length === 0 && !this.#isSending;
    if (isFirst && this.#credit > 0 && (messages || size <= this.#credit) && this.#end.ready())
      this.#sendNow(message);
    else this.#waiting.push(message);
    return this.#pump();
  }

  /** The source has ended: END follows what waits. */
  finish(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#settle();
  }

  /** Sends nothing more. What waits is dropped; senders of streams in it are told why. */
  stop(why?: Failure): void {
    this.#state = "over";
    for (const message of this.#waiting.splice(0)) discardStreams(message, why);
  }

  // Of StreamEvents

  granted(bytes: number): void {
    this.#credit += bytes;
    this.#pump();
  }

  writable(): void {
    this.#pump();
  }

  #pump(): void {
    if (this.#isSending) return; // the receiver of what is being sent has granted more: handled below
    while (this.#waiting.length > 0 && this.#credit > 0 && this.#end.ready()) this.#sendFirst();
    this.#settle();
  }

  #sendFirst(): void {
    const message = this.#waiting[0]!;
    const isWhole = this.#end.messages || message.end - message.payloadStart <= this.#credit;
    if (isWhole) this.#waiting.shift();
    try {
      this.#sendNow(isWhole ? message : this.#cut(message));
    } catch (error) {
      if (this.#waiting[0] === message) this.#waiting.shift();
      if (this.#source.refused === undefined) throw error;
      this.#source.refused(error, message);
    }
  }

  #sendNow(message: Message): void {
    const cost = this.#end.messages ? messageCost(message) : message.end - message.payloadStart;
    this.#isSending = true;
    this.#credit -= cost;
    try {
      this.#end.send(message);
    } catch (error) {
      this.#credit += cost;
      throw error;
    } finally {
      this.#isSending = false;
    }
  }

  /** As many bytes from the front of a message as there is credit for. */
  #cut(message: Message): Message {
    const { payloadStart } = message;
    const end = payloadStart + this.#credit;
    message.headStart = message.payloadStart = end;
    return Message.ofBytes(message.view(payloadStart, end));
  }

  /** Does what is due once nothing more can be sent for now. */
  #settle(): void {
    if (this.#isSending || this.#state === "over") return;
    if (this.#waiting.length > 0) {
      if (this.#isPaused || this.#state === "ending") return;
      this.#isPaused = true;
      this.#source.pause();
    } else if (this.#state === "ending") {
      this.#state = "over";
      this.#end.end();
      this.#source.sentAll();
    } else if (this.#isPaused) {
      this.#isPaused = false;
      this.#source.resume();
    }
  }
}
