import type { Failure } from "../message/failure.ts";
import type { Attached } from "../message/attached.ts";
import type { Message, StreamEnd, StreamEvents, StreamShape } from "../message/message.ts";
import { EventQueue, discardStreams } from "./stream.ts";

/**
 * A stream inside this process: two ends, of which the first has this shape, and stands for what is attached, and the
 * second is its counterpart.
 */
export function createStream(shape: StreamShape, attached?: Attached): [StreamEnd, StreamEnd] {
  const { receives, sends, messages } = shape;
  const one = new PairEnd({ receives, sends, messages }, attached);
  const other = new PairEnd({ receives: sends, sends: receives, messages });
  one.join(other);
  other.join(one);
  return [one, other];
}

class PairEnd implements StreamEnd {
  readonly receives: boolean;
  readonly sends: boolean;
  readonly messages: boolean;
  readonly attached: Attached | undefined;
  readonly #events: EventQueue;
  #other: PairEnd | undefined;
  #sending: boolean;
  #isOver = false;

  constructor(shape: StreamShape, attached?: Attached) {
    this.attached = attached;
    this.receives = shape.receives;
    this.sends = shape.sends;
    this.messages = shape.messages;
    this.#sending = shape.sends;
    this.#events = new EventQueue(shape.messages);
  }

  join(other: PairEnd): void {
    this.#other = other;
  }

  listen(events: StreamEvents): void {
    this.#events.listen(events);
  }

  ready(): boolean {
    return this.#other!.#events.ready();
  }

  send(message: Message): void {
    if (this.#sending) this.#other!.#events.data(message);
    else discardStreams(message);
  }

  end(): void {
    if (!this.#sending) return;
    const other = this.#other!;
    this.#sending = false;
    if (!other.#sending) this.#isOver = other.#isOver = true;
    other.#events.ended();
  }

  grant(bytes: number): void {
    if (bytes > 0 && this.#other!.#sending) this.#other!.#events.granted(bytes);
  }

  resume(): void {
    this.#other!.#events.writable();
  }

  reset(why: Failure): void {
    if (this.#isOver) return;
    const other = this.#other!;
    this.#isOver = other.#isOver = true;
    this.#sending = other.#sending = false;
    other.#events.reset(why);
  }

  discard(why: Failure): void {
    if (this.#isOver) return;
    this.reset(why);
    this.#events.reset(why);
  }
}
