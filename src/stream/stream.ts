/**
 * Streams that messages carry. An engine or session hands their ends on without looking: whoever holds an end calls its
 * methods and hears its events. Bytes or whole messages flow one way or both, each way limited by credit.
 */
import { ReceiveQueue } from "./receive-queue.ts";
import { failure, toFailure, type Failure } from "../message/failure.ts";
import { findHeader, headerLine } from "../message/headers.ts";
import type { Message, StreamEnd, StreamEvents } from "../message/message.ts";
import { encodeUtf8 } from "../message/text.ts";

/** What each direction may carry before credit is granted. Bytes; part of the protocol: not configurable. */
export const INITIAL_CREDIT = 16_384;

/** What a message on a stream costs besides its header block and payload: about what keeping an empty one takes. */
export const MESSAGE_COST = 256;

/** Streams one message may carry. */
export const MAX_STREAMS_PER_MESSAGE = 256;

const ROOT = ":value";
const ROOT_STREAM = "stream";

/** The header line that says that a message's value is its first stream. */
export const ROOT_LINE: string = headerLine(ROOT, ROOT_STREAM);

/** True when the message's value is its first stream, not something that contains it. */
export function isRoot(message: Message): boolean {
  return findHeader(message.headText(), ROOT) === ROOT_STREAM;
}

/** What the message, whose payload is bytes already, costs where whole messages flow. */
export function messageCost(message: Message): number {
  const { head, headStart, payloadStart, end } = message;
  const headSize = head === undefined ? payloadStart - headStart : head === "" ? 0 : encodeUtf8(head).length;
  return MESSAGE_COST + headSize + (end - payloadStart);
}

/** Ends streams that will not be used. */
export function discardStreams(
  message: Message,
  why: Failure = failure("CALLER_GONE", "it was not taken"),
): void {
  if (message.streams === undefined) return;
  for (const end of message.streams) end.discard(why);
}

/** For receivers that want bytes and nothing else. What cannot come as bytes is reset by its sender. */
export function takeBytes(end: StreamEnd): void {
  end.attached?.take("bytes", () => undefined);
}

/** Makes one stream of two: what arrives at either end goes out at the other. Credit passes through. */
export function link(one: StreamEnd, other: StreamEnd): void {
  one.listen(new Forward(one, other));
  other.listen(new Forward(other, one));
}

class Forward implements StreamEvents {
  readonly #from: StreamEnd;
  readonly #to: StreamEnd;

  constructor(from: StreamEnd, to: StreamEnd) {
    this.#from = from;
    this.#to = to;
  }

  data(message: Message): void {
    try {
      this.#to.send(message); // what a full connection keeps is bounded by the receiver's credit
    } catch (error) {
      const why = toFailure(error);
      discardStreams(message, why);
      this.#to.reset(why);
      this.#from.reset(why);
    }
  }

  ended(): void {
    this.#to.end();
  }

  granted(bytes: number): void {
    this.#to.grant(bytes);
  }

  ready(): boolean {
    return this.#to.ready();
  }

  writable(): void {
    this.#to.resume();
  }

  reset(why: Failure): void {
    this.#to.reset(why);
  }
}

/**
 * Keeps events until there is a listener: what has arrived, which the initial credit bounds, and sums of
 * the rest, so that no number of frames fills the memory.
 */
export class EventQueue implements StreamEvents {
  readonly #messages: boolean;
  #events: StreamEvents | undefined;
  #isHeard = false;
  #arrived: ReceiveQueue | undefined;
  #granted = 0;
  #ended = false;
  #reset: Failure | undefined;

  /** `messages`: whole messages flow, not bytes. */
  constructor(messages: boolean) {
    this.#messages = messages;
  }

  listen(events: StreamEvents): void {
    if (this.#isHeard) throw new TypeError("this stream already has a listener");
    this.#isHeard = true;
    // What comes while the listener is told of what came before waits its turn.
    for (let one = this.#arrived?.take(); one !== undefined; one = this.#arrived?.take()) events.data(one);
    this.#arrived = undefined;
    this.#events = events;
    if (this.#granted > 0) events.granted(this.#granted);
    if (this.#ended) events.ended();
    if (this.#reset !== undefined) events.reset(this.#reset);
  }

  data(message: Message): void {
    if (this.#events !== undefined) return this.#events.data(message);
    this.#arrived ??= new ReceiveQueue(this.#messages);
    return this.#arrived.add(message);
  }

  ended(): void {
    if (this.#events !== undefined) this.#events.ended();
    else this.#ended = true;
  }

  granted(bytes: number): void {
    if (this.#events !== undefined) this.#events.granted(bytes);
    else this.#granted += bytes;
  }

  ready(): boolean {
    return this.#events === undefined || this.#events.ready();
  }

  writable(): void {
    this.#events?.writable();
  }

  reset(why: Failure): void {
    if (this.#events !== undefined) return this.#events.reset(why);
    this.#reset = why;
    // It will not be read, and senders of streams in it are told at once.
    for (let one = this.#arrived?.take(); one !== undefined; one = this.#arrived?.take()) {
      discardStreams(one, why);
    }
  }
}
