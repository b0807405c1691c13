/** One stream of a session: what it may still carry, and how it ends. */
import type { Failure } from "../message/failure.ts";
import type { Message, StreamEnd, StreamEvents, StreamShape } from "../message/message.ts";
import type { Attached } from "../message/attached.ts";
import { EventQueue, INITIAL_CREDIT, discardStreams, messageCost } from "../message/stream.ts";
import { FrameType } from "../wire/frame.ts";
import type { AttachedStream } from "./attachments.ts";
import type { Borrower } from "./shared-credit.ts";

/** The most credit a frame may give. */
const MAX_CREDIT = 0x7fff_ffff;

/** Bits of OPEN's `aux`, as its sender sees them. */
const SENDS = 1;
const RECEIVES = 2;
const MESSAGES = 4;

/** What takes the frames of a session's streams. */
export interface StreamCarrier {
  /** True when the connection has room; when not, `writable` is called once it has. */
  ready(stream: SessionStream): boolean;
  send(stream: SessionStream, message: Message): void;
  /** The other end of the connection grants the stream so much. */
  granted(stream: SessionStream, bytes: number): void;
  /** The stream sends nothing any more. */
  finished(stream: SessionStream): void;
  control(type: FrameType, number: number, id: number): void;
  tellReset(number: number, why: Failure): void;
  forget(stream: SessionStream): void;
}

/** One end of a stream, of which the other is across the connection. */
export class SessionStream implements StreamEnd, AttachedStream, Borrower {
  readonly number: number;
  readonly isOwn: boolean;
  readonly receives: boolean;
  readonly sends: boolean;
  readonly messages: boolean;
  /** What it stands for, set before anybody sees it. */
  attached: Attached | undefined = undefined;
  readonly #carrier: StreamCarrier;
  readonly #events: EventQueue;
  #sending: boolean;
  #receiving: boolean;
  /** What the other end may still send. */
  #allowed = INITIAL_CREDIT;
  /** What this end may still send, as far as its holder knows, and what it does not know of yet. */
  credit: number = INITIAL_CREDIT;
  kept = 0;

  constructor(carrier: StreamCarrier, number: number, isOwn: boolean, shape: StreamShape) {
    this.#carrier = carrier;
    this.number = number;
    this.isOwn = isOwn;
    this.receives = shape.receives;
    this.sends = shape.sends;
    this.messages = shape.messages;
    this.#events = new EventQueue(shape.messages);
    this.#sending = shape.sends;
    this.#receiving = shape.receives;
  }

  get isOpen(): boolean {
    return this.#sending || this.#receiving;
  }

  listen(events: StreamEvents): void {
    this.#events.listen(events);
  }

  ready(): boolean {
    return !this.#sending || this.#carrier.ready(this);
  }

  send(message: Message): void {
    if (this.#sending) this.#carrier.send(this, message);
    else discardStreams(message);
  }

  resume(): void {
    // the connection itself holds the other end back
  }

  end(): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.#carrier.finished(this);
    this.#carrier.control(FrameType.end, this.number, 0);
    if (!this.#receiving) this.#carrier.forget(this);
  }

  grant(bytes: number): void {
    if (!this.#receiving || bytes <= 0) return;
    this.#allowed += bytes;
    this.#carrier.control(FrameType.credit, this.number, bytes);
  }

  reset(why: Failure): void {
    if (!this.#sending && !this.#receiving) return;
    this.#over();
    this.#carrier.tellReset(this.number, why);
  }

  discard(why: Failure): void {
    if (!this.isOpen) return;
    this.reset(why);
    this.#events.reset(why);
  }

  // What the session hears.

  arrived(message: Message): string | undefined {
    if (!this.#receiving) return `DATA on stream ${this.number} in a direction that is over`;
    const size = message.end - message.headStart;
    // P-114: bytes fit the credit; a message may be larger than what is left of it
    if (this.messages ? this.#allowed <= 0 : size > this.#allowed)
      return `DATA on stream ${this.number} without credit`;
    if (size === 0 && !this.messages) return "DATA without bytes";
    if (!this.messages && (message.payloadStart !== message.headStart || message.streams !== undefined))
      return "DATA of a byte stream with headers or streams";
    this.#allowed -= this.messages ? messageCost(message) : size;
    this.#events.data(message);
    return undefined;
  }

  credited(bytes: number): string | undefined {
    if (bytes === 0 || bytes > MAX_CREDIT) return `CREDIT of ${bytes} bytes`;
    if (this.#sending) this.#carrier.granted(this, bytes);
    return undefined;
  }

  handOn(bytes: number): void {
    this.#events.granted(bytes);
  }

  halfClosed(): string | undefined {
    if (!this.#receiving) return `END on stream ${this.number} in a direction that is over`;
    this.#receiving = false;
    if (!this.#sending) this.#carrier.forget(this);
    this.#events.ended();
    return undefined;
  }

  writable(): void {
    this.#events.writable();
  }

  /** Over, and the other end knows. */
  lost(why: Failure): void {
    this.#over();
    this.#events.reset(why);
  }

  handedOver(): void {
    this.#over();
  }

  #over(): void {
    this.#sending = false;
    this.#receiving = false;
    this.#carrier.forget(this);
  }
}

export function shapeBits({ sends, receives, messages }: StreamShape): number {
  return (sends ? SENDS : 0) | (receives ? RECEIVES : 0) | (messages ? MESSAGES : 0);
}

/** The shape of a stream that the other end opens, as this end sees it. */
export function readShape(aux: number): StreamShape {
  return {
    sends: (aux & RECEIVES) !== 0,
    receives: (aux & SENDS) !== 0,
    messages: (aux & MESSAGES) !== 0,
  };
}
