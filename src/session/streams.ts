/** The streams of one session: numbers for their ends, frames in and out. */
import { LintelError, failure, type Failure } from "../message/failure.ts";
import { viewOf } from "../message/bytes.ts";
import { Message, type StreamEnd, type StreamEvents, type StreamShape } from "../message/message.ts";
import {
  EventQueue,
  INITIAL_CREDIT,
  MAX_STREAMS_PER_MESSAGE,
  discardStreams,
  link,
  messageCost,
} from "../message/stream.ts";
import { FrameType, type FrameHeader } from "../wire/frame.ts";
import { writeControl, writeFailure, writeMessage, type BodyLimits } from "./frame-writer.ts";
import type { Outbox } from "./outbox.ts";

/** Highest number of a stream, and the most credit a direction may have. */
const MAX_NUMBER = 0x7fff_ffff;

/** Bits of OPEN's `aux`, as its sender sees them. */
const SENDS = 1;
const RECEIVES = 2;
const MESSAGES = 4;

const OVER = Object.freeze(failure("CONNECTION_LOST", "the connection that carried the stream was lost"));

/** Largest payload of one DATA frame of a byte stream: the frame fills a slab. */
const MAX_CHUNK = 65_520;

/** What may wait for a connection that is full, for each stream and for all: its receiver has granted it. Bytes. */
const ROOM = 1_064_960;
const MAX_ROOM = 67_108_864;

export class SessionStreams {
  readonly #outbox: Outbox;
  readonly #written: () => void;
  readonly #limit: number;
  #peerLimits: BodyLimits = { payload: 0, headers: 0 };
  readonly #ends = new Map<number, SessionStream>();
  /** Ours are odd when we dialed, the other end's are even, or the other way round. */
  #nextOwn: number;
  #nextTheirs: number;
  #theirs = 0;
  #own = 0;
  /** How many of ours the other end takes at a time. */
  #ownLimit = 0;
  /** Opened by the other end, for the message that comes next. */
  #opened: SessionStream[] = [];
  /** Ends that wait until the connection has room. */
  #waiting = new Set<SessionStream>();
  /** The session is over: nothing is sent any more. */
  #isOver = false;

  /** `written` is called when something was added to the outbox. */
  constructor(outbox: Outbox, role: "dialer" | "acceptor", limit: number, written: () => void) {
    this.#outbox = outbox;
    this.#written = written;
    this.#limit = limit;
    this.#nextOwn = role === "dialer" ? 1 : 2;
    this.#nextTheirs = role === "dialer" ? 2 : 1;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#ends.size;
  }

  /** What may wait to be sent on account of the streams. Bytes. */
  get room(): number {
    return Math.min(this.#ends.size * ROOM, MAX_ROOM);
  }

  /** The other end takes so many streams at a time, and messages of that size. */
  allow(limit: number, peerLimits: BodyLimits): void {
    this.#ownLimit = limit;
    this.#peerLimits = peerLimits;
  }

  /**
   * Sends a message with the streams it carries, with `write`: its payload must be bytes, so that nothing comes between
   * OPEN and the message. Throws `STREAMS_UNSUPPORTED`, `TOO_MANY` or what `write` throws; its streams are over then.
   */
  carry(message: Message, write: () => void): void {
    const ends = message.streams!;
    let opened: readonly SessionStream[] = [];
    try {
      opened = this.#open(ends);
      write();
    } catch (error) {
      const why = error instanceof LintelError ? error.toFailure() : failure("HANDLER_FAILED");
      for (const stream of opened) stream.reset(why); // P-115
      discardStreams(message, why);
      throw error;
    }
    // Only now: what has come for them already, a RESET too, goes after the message.
    opened.forEach((stream, index) => link(stream, ends[index]!));
    if (this.#isOver) for (const stream of opened) stream.lost(OVER);
  }

  #open(ends: readonly StreamEnd[]): SessionStream[] {
    if (this.#ownLimit === 0) throw LintelError.of("STREAMS_UNSUPPORTED");
    if (ends.length > MAX_STREAMS_PER_MESSAGE) {
      throw LintelError.of("TOO_MANY", `a message carries ${MAX_STREAMS_PER_MESSAGE} streams at most`);
    }
    if (this.#own + ends.length > this.#ownLimit) {
      throw LintelError.of("TOO_MANY", `the other end takes ${this.#ownLimit} streams at a time`);
    }
    if (this.#nextOwn + 2 * ends.length > MAX_NUMBER) {
      throw LintelError.of("TOO_MANY", "this session has used up its streams");
    }
    const opened: SessionStream[] = [];
    for (const end of ends) {
      const number = this.#nextOwn;
      this.#nextOwn += 2;
      this.#own++;
      // What we receive from the wire the holder of `end` sends on: the two face each other.
      const stream = new SessionStream(this, number, true, {
        sends: end.receives,
        receives: end.sends,
        messages: end.messages,
      });
      this.#ends.set(number, stream);
      opened.push(stream);
      writeControl(this.#outbox, FrameType.open, shapeBits(stream), number, 0);
    }
    return opened;
  }

  /** The streams that were opened for the message being read. */
  take(): readonly StreamEnd[] {
    const opened = this.#opened;
    this.#opened = [];
    return opened;
  }

  // Frames that arrive. They return what is wrong with them.

  opened({ target: number, aux }: FrameHeader): string | undefined {
    if (number !== this.#nextTheirs || number > MAX_NUMBER)
      return `OPEN names stream ${number}, not the next one`; // P-111
    const shape = {
      sends: (aux & RECEIVES) !== 0,
      receives: (aux & SENDS) !== 0,
      messages: (aux & MESSAGES) !== 0,
    };
    if (!shape.sends && !shape.receives) return "OPEN names no direction";
    if (this.#theirs >= this.#limit || this.#opened.length >= MAX_STREAMS_PER_MESSAGE) {
      return `more than ${this.#limit} streams, or ${MAX_STREAMS_PER_MESSAGE} for one message`; // P-112
    }
    this.#nextTheirs += 2;
    this.#theirs++;
    const stream = new SessionStream(this, number, false, shape);
    this.#ends.set(number, stream);
    this.#opened.push(stream);
    return undefined;
  }

  data({ target }: FrameHeader, message: Message): string | undefined {
    const stream = this.#ends.get(target);
    if (stream !== undefined) return stream.arrived(message);
    discardStreams(message);
    return this.#unknown(target);
  }

  credit({ target, id }: FrameHeader): string | undefined {
    const stream = this.#ends.get(target);
    return stream === undefined ? this.#unknown(target) : stream.credited(id);
  }

  ended({ target }: FrameHeader): string | undefined {
    const stream = this.#ends.get(target);
    return stream === undefined ? this.#unknown(target) : stream.halfClosed();
  }

  resetByPeer({ target }: FrameHeader, why: Failure): string | undefined {
    const stream = this.#ends.get(target);
    if (stream === undefined) return this.#unknown(target);
    const at = this.#opened.indexOf(stream);
    if (at >= 0) this.#opened.splice(at, 1); // P-115: its message is not coming
    stream.lost(why);
    return undefined;
  }

  /** The connection has room again: everybody who waits may send, in turns, until it is full. */
  drained(): void {
    for (const stream of this.#waiting) {
      if (this.#isFull) return;
      this.#waiting.delete(stream);
      stream.writable();
    }
  }

  /** The session is over. */
  clear(): void {
    this.#isOver = true;
    this.#waiting.clear();
    this.#opened = [];
    for (const stream of [...this.#ends.values()]) stream.lost(OVER);
  }

  // For the streams themselves.

  ready(stream: SessionStream): boolean {
    if (this.#isOver || !this.#isFull) return true;
    this.#waiting.add(stream);
    return false;
  }

  send(stream: SessionStream, message: Message): void {
    if (this.#isOver) return discardStreams(message, OVER);
    if (stream.messages) this.#sendMessage(stream, message);
    else this.#sendBytes(stream.number, message);
    return this.#written();
  }

  control(type: FrameType, number: number, id: number): void {
    if (this.#isOver) return;
    writeControl(this.#outbox, type, 0, number, id);
    this.#written();
  }

  tellReset(number: number, why: Failure): void {
    if (this.#isOver) return;
    writeFailure(this.#outbox, FrameType.reset, number, 0, why, 0);
    this.#written();
  }

  forget(stream: SessionStream): void {
    if (!this.#ends.delete(stream.number)) return;
    this.#waiting.delete(stream);
    if (stream.isOwn) this.#own--;
    else this.#theirs--;
  }

  /** True while the connection holds bytes it could not send yet. */
  get #isFull(): boolean {
    return this.#outbox.queued > 0;
  }

  #sendMessage(stream: SessionStream, message: Message): void {
    const write = (): void =>
      writeMessage(this.#outbox, FrameType.data, stream.number, 0, message, -1, this.#peerLimits);
    if (message.streams === undefined) write();
    else this.carry(message, write);
  }

  #sendBytes(number: number, message: Message): void {
    const most = Math.min(MAX_CHUNK, this.#peerLimits.payload);
    const size = message.end - message.payloadStart;
    if (size <= most) {
      writeMessage(this.#outbox, FrameType.data, number, 0, message, -1, this.#peerLimits);
      return;
    }
    for (let at = message.payloadStart; at < message.end; at += most) {
      const piece = Message.ofBytes(viewOf(message.bytes, at, Math.min(at + most, message.end)));
      writeMessage(this.#outbox, FrameType.data, number, 0, piece, -1, this.#peerLimits);
    }
  }

  /** Frames for a stream that has ended cross its end; those for one that never was break the protocol. */
  #unknown(number: number): string | undefined {
    const next = number % 2 === this.#nextOwn % 2 ? this.#nextOwn : this.#nextTheirs;
    return number > 0 && number < next ? undefined : `stream ${number} was never opened`; // P-113
  }
}

/** One end of a stream, of which the other is across the connection. */
class SessionStream implements StreamEnd {
  readonly number: number;
  readonly isOwn: boolean;
  readonly receives: boolean;
  readonly sends: boolean;
  readonly messages: boolean;
  readonly #streams: SessionStreams;
  readonly #events: EventQueue;
  #sending: boolean;
  #receiving: boolean;
  /** What the other end may still send. */
  #allowed = INITIAL_CREDIT;

  constructor(streams: SessionStreams, number: number, isOwn: boolean, shape: StreamShape) {
    this.#streams = streams;
    this.number = number;
    this.isOwn = isOwn;
    this.receives = shape.receives;
    this.sends = shape.sends;
    this.messages = shape.messages;
    this.#events = new EventQueue(shape.messages);
    this.#sending = shape.sends;
    this.#receiving = shape.receives;
  }

  listen(events: StreamEvents): void {
    this.#events.listen(events);
  }

  ready(): boolean {
    return !this.#sending || this.#streams.ready(this);
  }

  send(message: Message): void {
    if (this.#sending) this.#streams.send(this, message);
    else discardStreams(message);
  }

  resume(): void {
    // the connection itself holds the other end back
  }

  end(): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.#streams.control(FrameType.end, this.number, 0);
    if (!this.#receiving) this.#streams.forget(this);
  }

  grant(bytes: number): void {
    if (!this.#receiving || bytes <= 0) return;
    this.#allowed += bytes;
    this.#streams.control(FrameType.credit, this.number, bytes);
  }

  reset(why: Failure): void {
    if (!this.#sending && !this.#receiving) return;
    this.#over();
    this.#streams.tellReset(this.number, why);
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
    if (bytes === 0 || bytes > MAX_NUMBER) return `CREDIT of ${bytes} bytes`;
    if (this.#sending) this.#events.granted(bytes);
    return undefined;
  }

  halfClosed(): string | undefined {
    if (!this.#receiving) return `END on stream ${this.number} in a direction that is over`;
    this.#receiving = false;
    if (!this.#sending) this.#streams.forget(this);
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

  #over(): void {
    this.#sending = false;
    this.#receiving = false;
    this.#streams.forget(this);
  }
}

function shapeBits({ sends, receives, messages }: StreamShape): number {
  return (sends ? SENDS : 0) | (receives ? RECEIVES : 0) | (messages ? MESSAGES : 0);
}
