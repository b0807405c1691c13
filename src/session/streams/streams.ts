/** The streams of one session: numbers for their ends, frames in and out. */
import { LintelError, failure, toFailure, type Failure } from "../../message/failure.ts";
import type { Message, StreamEnd } from "../../message/message.ts";
import type { Passed } from "../../message/attached.ts";
import type { OpenStreams } from "../../stream/open-streams.ts";
import { MAX_STREAMS_PER_MESSAGE, discardStreams, link, messageCost } from "../../stream/stream.ts";
import type { Bypasses } from "../../transport/transport.ts";
import { FrameType, type FrameHeader } from "../../wire/frame.ts";
import type { DescriptorChannel } from "../side-channels/descriptor-channel.ts";
import { SessionAttachments } from "./attachments.ts";
import type { SessionBypasses } from "../side-channels/bypasses.ts";
import { writeBytes, writeControl, writeFailure, writeMessage, type BodyLimits } from "../frame-writer.ts";
import type { Greeting } from "../greeting.ts";
import type { Outbox } from "../outbox.ts";
import type { SessionOptions } from "../options.ts";
import { SharedCredit } from "./shared-credit.ts";
import { SessionStream, readShape, shapeBits, type StreamCarrier } from "./session-stream.ts";

/** Highest number of a stream. */
const MAX_NUMBER = 0x7fff_ffff;

const OVER = Object.freeze(failure("CONNECTION_LOST", "the connection that carried the stream was lost"));

/** What may wait for a connection that is full on account of streams: its receiver has granted it. Bytes. */
const MAX_ROOM = 67_108_864;

/** Of a session's options. */
type StreamsOptions = Pick<
  SessionOptions<never>,
  "role" | "limits" | "openStreams" | "endingStreams" | "sideChannels"
>;

/** What there is beside the session's connection. */
interface Ways {
  /** Where descriptors pass, if they can. */
  readonly lane: DescriptorChannel | undefined;
  readonly bypasses: Bypasses | undefined;
  /** Called for every sign of life on bypasses. */
  readonly heard: () => void;
}

export class SessionStreams implements StreamCarrier {
  readonly bypasses: SessionBypasses | undefined;
  readonly #outbox: Outbox;
  readonly #written: () => void;
  readonly #limit: number;
  readonly #openStreams: OpenStreams | undefined;
  readonly #attachments: SessionAttachments;
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
  readonly #credit: SharedCredit;
  /** Ends that wait until the connection has room. */
  #waiting = new Set<SessionStream>();
  /** The session is over: nothing is sent any more. */
  #isOver = false;

  /** `written` is called when something was added to the outbox. */
  constructor(outbox: Outbox, options: StreamsOptions, ways: Ways, written: () => void) {
    const { role, limits, openStreams } = options;
    this.#attachments = new SessionAttachments({
      lane: ways.lane,
      control: (type, number, aux) => this.control(type, number, 0, aux),
    });
    this.bypasses = this.#createBypasses(options, ways);
    this.#outbox = outbox;
    this.#credit = new SharedCredit(outbox);
    this.#written = written;
    this.#limit = limits.streams;
    this.#openStreams = openStreams;
    this.#nextOwn = role === "dialer" ? 1 : 2;
    this.#nextTheirs = role === "dialer" ? 2 : 1;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#ends.size;
  }

  /** What may wait to be sent on account of the streams, those included that are over. Bytes. */
  get room(): number {
    return Math.min(this.#credit.queued, MAX_ROOM);
  }

  /** What the other end has said that it takes. */
  allow({ streams, limits, attachments, bypasses }: Omit<Greeting, "name" | "bindings" | "lane">): void {
    this.#attachments.allow(attachments);
    this.bypasses?.allow(bypasses);
    this.#ownLimit = streams;
    this.#peerLimits = limits;
  }

  #createBypasses(options: StreamsOptions, { bypasses, heard }: Ways): SessionBypasses | undefined {
    const { role, limits, sideChannels, openStreams, endingStreams = openStreams } = options;
    if (bypasses === undefined || limits.streams === 0) return undefined;
    return sideChannels?.bypasses({
      bypasses,
      role,
      heard,
      find: (number) => this.#ends.get(number),
      control: (type, number, id) => this.control(type, number, id),
      ending: endingStreams,
    });
  }

  /**
   * Sends a message with the streams it carries, with `write`: its payload must be bytes, so that nothing comes between
   * OPEN and the message. Throws `STREAMS_UNSUPPORTED`, `TOO_MANY` or what `write` throws; its streams are over then.
   */
  carry(message: Message, write: (message: Message) => void): void {
    const ends = message.streams!;
    let opened: readonly SessionStream[] = [];
    try {
      opened = this.#open(ends);
      write(message);
    } catch (error) {
      const why = toFailure(error);
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
      throw LintelError.of("TOO_MANY", `the other end allows ${this.#ownLimit} streams at a time`);
    }
    if (this.#nextOwn + 2 * ends.length > MAX_NUMBER) {
      throw LintelError.of("TOO_MANY", "this session has used up its streams");
    }
    this.#attachments.check(ends);
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
      this.#add(stream);
      opened.push(stream);
      const offered = end.attached === undefined ? 0 : this.#attachments.announce(number, end.attached);
      writeControl(this.#outbox, FrameType.open, shapeBits(stream) | offered, number, 0);
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
    const shape = readShape(aux);
    if (!shape.sends && !shape.receives) return "OPEN names no direction";
    if (this.#theirs >= this.#limit || this.#opened.length >= MAX_STREAMS_PER_MESSAGE) {
      return `more than ${this.#limit} streams, or ${MAX_STREAMS_PER_MESSAGE} for one message`; // P-112
    }
    this.#nextTheirs += 2;
    this.#theirs++;
    const stream = new SessionStream(this, number, false, shape);
    this.#attachments.opened(stream, aux);
    this.#add(stream);
    this.#opened.push(stream);
    return undefined;
  }

  data({ target }: FrameHeader, message: Message): string | undefined {
    const stream = this.#ends.get(target);
    if (stream !== undefined) return stream.arrived(message);
    discardStreams(message);
    return this.#unknown(target);
  }

  /** True of a stream that is open and whose bytes may arrive in any pieces. */
  takesBytes(number: number): boolean {
    return this.#ends.get(number)?.messages === false;
  }

  credit({ target, id }: FrameHeader): string | undefined {
    const stream = this.#ends.get(target);
    return stream === undefined ? this.#unknown(target) : stream.credited(id);
  }

  ended({ target, id }: FrameHeader): string | undefined {
    const stream = this.#ends.get(target);
    return stream === undefined ? this.#unknown(target) : stream.halfClosed(id);
  }

  bypassed({ target, id }: FrameHeader): string | undefined {
    if (this.bypasses?.areThere !== true) return "BYPASS without bypasses"; // P-131
    const stream = this.#ends.get(target);
    return stream === undefined ? this.#unknown(target) : this.bypasses.said(stream, id);
  }

  taken(header: FrameHeader): string | undefined {
    const stream = this.#ends.get(header.target);
    return stream === undefined ? this.#unknown(header.target) : this.#attachments.taken(stream, header);
  }

  bytesFollow({ target }: FrameHeader): string | undefined {
    const stream = this.#ends.get(target);
    return stream === undefined ? this.#unknown(target) : this.#attachments.bytesFollow(stream);
  }

  /** A descriptor for the stream has come on the lane. */
  passed(number: number, passed: Passed): string | undefined {
    return this.#attachments.passed(
      number,
      passed,
      !this.#ends.has(number) && this.#unknown(number) === undefined,
    );
  }

  resetByPeer({ target }: FrameHeader, why: Failure): string | undefined {
    this.bypasses?.abort(target);
    const stream = this.#ends.get(target);
    if (stream === undefined) return this.#unknown(target);
    const at = this.#opened.indexOf(stream);
    if (at >= 0) this.#opened.splice(at, 1); // P-115: its message is not coming
    stream.lost(why);
    return undefined;
  }

  /** The connection has room again: all waiting streams may send, in turns, until it is full. */
  drained(): void {
    this.#credit.drained();
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
    this.bypasses?.clear();
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
    else writeBytes(this.#outbox, stream.number, message, this.#peerLimits.payload);
    this.#credit.spend(stream, stream.messages ? messageCost(message) : message.end - message.payloadStart);
    return this.#written();
  }

  granted(stream: SessionStream, bytes: number): void {
    this.#credit.grant(stream, bytes);
  }

  finished(stream: SessionStream): void {
    this.#credit.end(stream);
  }

  control(type: FrameType, number: number, id: number, aux = 0): void {
    if (this.#isOver) return;
    writeControl(this.#outbox, type, aux, number, id);
    this.#written();
  }

  tellReset(number: number, why: Failure): void {
    if (this.#isOver) return;
    writeFailure(this.#outbox, FrameType.reset, number, 0, why, 0);
    this.#written();
  }

  forget(stream: SessionStream): void {
    if (!this.#ends.delete(stream.number)) return;
    this.#openStreams?.closed(stream);
    this.#waiting.delete(stream);
    this.#credit.end(stream);
    this.#attachments.forget(stream.number);
    this.uncount(stream);
  }

  uncount(stream: SessionStream): void {
    if (!stream.counts) return;
    stream.counts = false;
    if (stream.isOwn) this.#own--;
    else this.#theirs--;
  }

  #add(stream: SessionStream): void {
    this.#ends.set(stream.number, stream);
    this.#openStreams?.opened(stream);
  }

  /** True while the connection holds bytes it could not send yet. */
  get #isFull(): boolean {
    return this.#outbox.isBlocked;
  }

  #sendMessage(stream: SessionStream, message: Message): void {
    const write = (): void =>
      writeMessage(this.#outbox, FrameType.data, stream.number, 0, message, -1, this.#peerLimits);
    if (message.streams === undefined) write();
    else this.carry(message, write);
  }

  /** Frames for a stream that has ended cross its end; those for one that never was break the protocol. */
  #unknown(number: number): string | undefined {
    const next = number % 2 === this.#nextOwn % 2 ? this.#nextOwn : this.#nextTheirs;
    return number > 0 && number < next ? undefined : `stream ${number} was never opened`; // P-113
  }
}

/** With its payload as bytes: user code may produce them, which must not run between OPEN and the message. */
export function encoded(message: Message): Message {
  if (message.encoder === undefined) return message;
  try {
    return message.retain();
  } catch (error) {
    discardStreams(message, failure("BAD_PAYLOAD"));
    throw error;
  }
}
