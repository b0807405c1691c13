import type { Failure } from "./failure.ts";
import type { Message, StreamEnd, StreamEvents, StreamShape } from "./message.ts";
import { EventQueue } from "./stream.ts";

/** A stream inside this process: two ends, of which the first has this shape and the second its counterpart. */
export function createStream(shape: StreamShape): [StreamEnd, StreamEnd] {
  const { receives, sends, messages } = shape;
  const one = new PairEnd({ receives, sends, messages });
  const other = new PairEnd({ receives: sends, sends: receives, messages });
  one.join(other);
  other.join(one);
  return [one, other];
}

class PairEnd implements StreamEnd {
  readonly receives: boolean;
  readonly sends: boolean;
  readonly messages: boolean;
  readonly #events = new EventQueue();
  #other: PairEnd | undefined;
  #sending: boolean;
  #isOver = false;

  constructor(shape: StreamShape) {
    this.receives = shape.receives;
    this.sends = shape.sends;
    this.messages = shape.messages;
    this.#sending = shape.sends;
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
  }

  end(): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.#other!.#events.ended();
  }

  grant(bytes: number): void {
    if (bytes > 0 && !this.#isOver) this.#other!.#events.granted(bytes);
  }

  resume(): void {
    this.#other!.#events.writable();
  }

  reset(why: Failure): void {
    if (this.#isOver) return;
    const other = this.#other!;
    this.#isOver = true;
    this.#sending = false;
    if (other.#isOver) return;
    other.#isOver = true;
    other.#sending = false;
    other.#events.reset(why);
  }
}
