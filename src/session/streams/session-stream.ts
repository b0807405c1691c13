/** One stream of a session: what it may still carry, and how it ends. */
import { failure, type Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents, type StreamShape } from "../../message/message.ts";
import type { Attached } from "../../message/attached.ts";
import type { OpenStream } from "../../stream/open-streams.ts";
import { EventQueue, INITIAL_CREDIT, discardStreams, messageCost } from "../../stream/stream.ts";
import type { Bypass } from "../../transport/transport.ts";
import { BypassSays, FrameType } from "../../wire/frame.ts";
import type { AttachedStream } from "./attachments.ts";
import type { BypassReceiver } from "../side-channels/bypass-receiver.ts";
import type { BypassSender } from "../side-channels/bypass-sender.ts";
import type { BypassStream, SessionBypasses } from "../side-channels/bypasses.ts";
import type { Borrower } from "./shared-credit.ts";

/** The most credit a frame may give. */
const MAX_CREDIT = 0x7fff_ffff;

/** A stream has sent so much before it looks for a bypass: opening one costs more than a few frames. Bytes. */
const BYPASS_AFTER = 65_536;

const BYPASS_LOST = Object.freeze(failure("CONNECTION_LOST", "the bypass of the stream was lost"));

/** Bits of OPEN's `aux`, as its sender sees them. */
const SENDS = 1;
const RECEIVES = 2;
const MESSAGES = 4;

/** What takes the frames of a session's streams. */
export interface StreamCarrier {
  /** Undefined where there are none. */
  readonly bypasses: SessionBypasses | undefined;
  /** True when the connection has room; when not, `writable` is called once it has. */
  ready(stream: SessionStream): boolean;
  send(stream: SessionStream, message: Message): void;
  /** The other end of the connection grants the stream so much. */
  granted(stream: SessionStream, bytes: number): void;
  /** The stream sends nothing any more on the connection. */
  finished(stream: SessionStream): void;
  /** END was sent and read: the stream counts no longer, though bytes may still come on a bypass. */
  uncount(stream: SessionStream): void;
  control(type: FrameType, number: number, id: number): void;
  tellReset(number: number, why: Failure): void;
  forget(stream: SessionStream): void;
}

/** One end of a stream, of which the other is across the connection. */
export class SessionStream implements StreamEnd, OpenStream, AttachedStream, Borrower, BypassStream {
  readonly number: number;
  readonly isOwn: boolean;
  readonly receives: boolean;
  readonly sends: boolean;
  readonly messages: boolean;
  /** What it stands for, set before it is passed to anything. */
  attached: Attached | undefined = undefined;
  /** Whether it is one of those its opener may have at a time. */
  counts: boolean = true;
  readonly #carrier: StreamCarrier;
  readonly #events: EventQueue;
  #sending: boolean;
  #receiving: boolean;
  /** What the other end may still send. */
  #allowed = INITIAL_CREDIT;
  /** What this end may still send, as far as its holder knows, and what it does not know of yet. */
  credit: number = INITIAL_CREDIT;
  kept = 0;
  moves = 0;
  /** Credit was granted by the other end, and by this one: there is a reader there, or here. */
  #isReadThere = false;
  #isReadHere = false;
  // Bypasses.
  #sent = 0;
  #wantsBypass = false;
  #out: BypassSender | undefined;
  #in: BypassReceiver | undefined;

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

  /** True while a reader, at either end, has room and the sender may be about to send. */
  get isAwaited(): boolean {
    // An end that opens a stream of bytes to receive has a target, which is read from at once. That something is written
    // to it shows when something comes.
    const isIdle = this.moves < 2 && !this.messages;
    // The receiver of a channel has ended its direction: most likely the handler has returned, and drops what still comes.
    const isLeft =
      this.sends && this.receives && this.messages && !(this.isOwn ? this.#receiving : this.#sending);
    if (isLeft) return false;
    const isThere = this.#sending && this.#isReadThere && (this.isOwn || !isIdle);
    if (isThere && this.credit > 0 && this.#out?.isFull !== true) return true;
    const isHere = this.#receiving && this.#isReadHere && (!this.isOwn || !isIdle);
    return isHere && this.#allowed > 0;
  }

  listen(events: StreamEvents): void {
    this.#events.listen(events);
  }

  ready(): boolean {
    if (!this.#sending) return true;
    return this.#out === undefined ? this.#carrier.ready(this) : !this.#out.isFull;
  }

  send(message: Message): void {
    if (!this.#sending) return discardStreams(message);
    if (this.#isReadThere) this.moves++;
    if (this.#out !== undefined) return this.#out.send(message);
    const size = message.end - message.payloadStart;
    this.#carrier.send(this, message);
    if (!this.messages) this.#count(size);
    return undefined;
  }

  resume(): void {
    // the connection itself holds the other end back
  }

  end(): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.#carrier.finished(this);
    this.#carrier.control(FrameType.end, this.number, this.#out?.end() ?? 0);
    if (!this.#receiving) this.#carrier.forget(this);
    else if (this.#in?.isEnding === true) this.#carrier.uncount(this);
  }

  grant(bytes: number): void {
    if (!this.#receiving || bytes <= 0) return;
    this.#allowed += bytes;
    this.#isReadHere = true;
    this.moves++;
    if (this.#in?.isUsed === true) this.#in.granted();
    else this.#carrier.control(FrameType.credit, this.number, bytes);
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
    if (this.#in?.isUsed === true) return `DATA on stream ${this.number}, which uses a bypass`; // P-134
    const size = message.end - message.headStart;
    // P-114: bytes fit the credit; a message may be larger than what is left of it
    if (this.messages ? this.#allowed <= 0 : size > this.#allowed)
      return `DATA on stream ${this.number} without credit`;
    if (size === 0 && !this.messages) return "DATA without bytes";
    if (!this.messages && (message.payloadStart !== message.headStart || message.streams !== undefined))
      return "DATA of a byte stream with headers or streams";
    this.#allowed -= this.messages ? messageCost(message) : size;
    if (this.#isReadHere) this.moves++;
    this.#events.data(message);
    return undefined;
  }

  credited(bytes: number): string | undefined {
    if (bytes === 0 || bytes > MAX_CREDIT) return `CREDIT of ${bytes} bytes`;
    this.#isReadThere = true;
    this.moves++;
    if (this.#sending && this.#out === undefined) this.#carrier.granted(this, bytes); // P-134: it may cross BYPASS
    return undefined;
  }

  handOn(bytes: number): void {
    this.#events.granted(bytes);
  }

  /** `total` is what END says of a bypass. */
  halfClosed(total: number): string | undefined {
    if (!this.#receiving) return `END on stream ${this.number} in a direction that is over`;
    if (this.#in?.isUsed !== true) {
      this.endedByBypass();
      return undefined;
    }
    if (this.#in.isEnding) return `END on stream ${this.number} twice`;
    if (!this.#sending) this.#carrier.uncount(this);
    this.#in.endsAt(total);
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

  // Bypasses.

  sendOn(bypass: Bypass): boolean {
    const { bypasses } = this.#carrier;
    if (bypasses === undefined || !this.#sending || !this.#wantsBypass || this.#out !== undefined)
      return false;
    this.#out = bypasses.sender(bypass, this, this.credit);
    this.#carrier.finished(this); // what it had to itself of what all share
    this.#carrier.control(FrameType.bypass, this.number, BypassSays.used);
    this.#out.grant();
    this.#events.writable();
    return true;
  }

  awaitBypass(): BypassReceiver | undefined {
    if (!this.#receiving || this.messages || this.#in !== undefined) return undefined;
    this.#in = this.#carrier.bypasses?.receiver(this);
    return this.#in;
  }

  bypassUsed(): string | undefined {
    if (!this.#receiving || this.messages) return `BYPASS on stream ${this.number}, which accepts no bytes`;
    if (this.#in?.isUsed === true) return `BYPASS on stream ${this.number} twice`;
    if (this.#in === undefined) this.bypassLost();
    else this.#in.use();
    return undefined;
  }

  get allowed(): number {
    return this.#allowed;
  }

  arrivedByBypass(bytes: Uint8Array): void {
    this.#allowed -= bytes.length;
    this.moves++;
    const message = Message.ofBytes(bytes);
    message.isKept = true; // a bypass gives bytes away, so that they can be sent on without a copy
    this.#events.data(message);
  }

  endedByBypass(): void {
    this.#receiving = false;
    if (!this.#sending) this.#carrier.forget(this);
    this.#events.ended();
  }

  bypassLost(): void {
    this.discard(BYPASS_LOST);
  }

  #count(size: number): void {
    this.#sent += size;
    if (this.#sent < BYPASS_AFTER || this.#wantsBypass || !this.#sending) return;
    if (this.#carrier.bypasses?.areThere !== true) return;
    this.#wantsBypass = true;
    this.#carrier.bypasses.want(this);
  }

  #over(): void {
    this.#sending = false;
    this.#receiving = false;
    this.#out?.stop();
    this.#in?.stop();
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
