/**
 * Streams that messages carry. An engine or session hands their ends on without looking: whoever holds an end calls its
 * methods and hears its events. Bytes or whole messages flow one way or both, each way limited by credit.
 */
import { LintelError, failure, type Failure } from "./failure.ts";
import { findHeader } from "./headers.ts";
import type { Message, StreamEnd, StreamEvents } from "./message.ts";
import { encodeUtf8 } from "./text.ts";

/** What each direction may carry before credit is granted. Bytes; part of the protocol: not configurable. */
export const INITIAL_CREDIT = 16_384;

/** What a message on a stream costs besides its header block and payload: an empty one is not free. */
export const MESSAGE_COST = 16;

/** Streams one message may carry. */
export const MAX_STREAMS_PER_MESSAGE = 256;

/** The header that says that a message's value is its first stream. */
export const ROOT = ":value";

/** True when the message's value is its first stream, not something that contains it. */
export function isRoot(message: Message): boolean {
  return findHeader(message.headText(), ROOT) === "stream";
}

/** What the message, whose payload is bytes already, costs where whole messages flow. */
export function messageCost(message: Message): number {
  const { head, headStart, payloadStart, end } = message;
  const headSize = head === undefined ? payloadStart - headStart : head === "" ? 0 : encodeUtf8(head).length;
  return MESSAGE_COST + headSize + (end - payloadStart);
}

/** Ends streams nobody will use. */
export function discardStreams(
  message: Message,
  why: Failure = failure("CALLER_GONE", "nobody takes it"),
): void {
  if (message.streams === undefined) return;
  for (const end of message.streams) end.reset(why);
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
      this.#to.send(message); // what a full connection keeps is bounded by the credit of whoever receives it
    } catch (error) {
      const why = error instanceof LintelError ? error.toFailure() : failure("HANDLER_FAILED");
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

/** Keeps events until somebody listens. The credit that a sender begins with bounds what is kept. */
export class EventQueue implements StreamEvents {
  #events: StreamEvents | undefined;
  #early: ((events: StreamEvents) => void)[] = [];

  listen(events: StreamEvents): void {
    if (this.#events !== undefined) throw new TypeError("somebody listens to this stream already");
    const early = this.#early;
    this.#early = [];
    this.#events = events;
    for (const event of early) event(events);
  }

  data(message: Message): void {
    if (this.#events !== undefined) return this.#events.data(message);
    const kept = message.retain();
    this.#early.push((events) => events.data(kept));
  }

  ended(): void {
    this.#tell((events) => events.ended());
  }

  granted(bytes: number): void {
    this.#tell((events) => events.granted(bytes));
  }

  ready(): boolean {
    return this.#events === undefined || this.#events.ready();
  }

  writable(): void {
    this.#events?.writable();
  }

  reset(why: Failure): void {
    this.#tell((events) => events.reset(why));
  }

  #tell(event: (events: StreamEvents) => void): void {
    if (this.#events !== undefined) event(this.#events);
    else this.#early.push(event);
  }
}
