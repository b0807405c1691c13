import { ReceiveQueue } from "../../stream/receive-queue.ts";
import type { Attached } from "../../message/attached.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { Message, StreamEnd, StreamEvents } from "../../message/message.ts";
import { createStream } from "../../stream/stream-pair.ts";

/**
 * A stream for one destination after another, until one may have begun to read it. What its source has sent by then,
 * which the credit that every stream begins with bounds, is kept and sent again: each destination sees all of it (P-130).
 */
export class RetryableStream implements StreamEvents {
  readonly #end: StreamEnd;
  /** What has come from the source; undefined once it goes to no other destination. */
  #kept: ReceiveQueue | undefined;
  /** Towards the destination whose turn it is. */
  #near: StreamEnd | undefined;
  /** Why that destination has given it up: for good, or because its request fails. */
  #givenUp: Failure | undefined;
  #granted = 0;
  #hasEnded = false;

  /** `end` is what a message would carry. It has no listener yet. */
  constructor(end: StreamEnd) {
    this.#end = end;
    this.#kept = new ReceiveQueue(end.messages);
  }

  /** True while it can be sent to another destination: nothing came back, and no credit but what every stream begins with. */
  get isWhole(): boolean {
    return this.#kept !== undefined;
  }

  /** What a message to the next destination carries. Throws `failed_precondition` when it is not whole. */
  next(): StreamEnd {
    const kept = this.#kept;
    if (kept === undefined)
      throw new LintelError("failed_precondition", "the stream may have been read already");
    const before = this.#near;
    const [far, near] = createStream(this.#end, this.#attached());
    this.#kept = new ReceiveQueue(this.#end.messages);
    this.#near = near;
    this.#givenUp = undefined;
    near.listen(new Return(this, this.#end));
    if (before === undefined) {
      this.#end.listen(this);
    } else {
      before.reset(failure("CALLER_GONE"));
      for (let one = kept.take(); one !== undefined; one = kept.take()) this.data(one);
      if (this.#granted > 0) near.grant(this.#granted);
      if (this.#hasEnded) near.end();
    }
    return far;
  }

  /** What the stream stands for: taking it counts as beginning to read. */
  #attached(): Attached | undefined {
    const { attached } = this.#end;
    if (attached === undefined) return undefined;
    const { kind, fallback } = attached;
    return {
      kind,
      fallback,
      take: (way, then) => {
        this.begun();
        attached.take(way, then);
      },
    };
  }

  /** It goes to no other destination. One that went to none at all ends with `why`. */
  settle(why: Failure): void {
    this.begun();
    const over = this.#near === undefined ? why : this.#givenUp;
    if (over !== undefined) this.#end.reset(over);
  }

  /** A destination may have begun to read it. */
  begun(): void {
    this.#kept = undefined;
  }

  /** The destination does not want it (any longer). */
  givenUp(why: Failure): void {
    if (this.isWhole) this.#givenUp = why;
    else this.#end.reset(why);
  }

  // StreamEvents: what the source does.

  data(message: Message): void {
    if (message.streams !== undefined) this.begun(); // they can be sent once
    this.#kept?.add(message);
    this.#near!.send(message);
  }

  ended(): void {
    this.#hasEnded = true;
    this.#near!.end();
  }

  granted(bytes: number): void {
    this.#granted += bytes;
    this.#near!.grant(bytes);
  }

  ready(): boolean {
    return this.#near!.ready();
  }

  writable(): void {
    this.#near!.resume();
  }

  reset(why: Failure): void {
    this.begun();
    this.#near!.reset(why);
  }
}

/** What comes back from one destination. After the next one's turn has come nothing does: its end has been reset. */
class Return implements StreamEvents {
  readonly #offer: RetryableStream;
  readonly #end: StreamEnd;

  constructor(offer: RetryableStream, end: StreamEnd) {
    this.#offer = offer;
    this.#end = end;
  }

  data(message: Message): void {
    this.#offer.begun();
    this.#end.send(message);
  }

  ended(): void {
    this.#offer.begun();
    this.#end.end();
  }

  granted(bytes: number): void {
    this.#offer.begun();
    this.#end.grant(bytes);
  }

  ready(): boolean {
    return this.#end.ready();
  }

  writable(): void {
    this.#end.resume();
  }

  reset(why: Failure): void {
    this.#offer.givenUp(why);
  }
}
