/** How much the streams of one session may send, all together: a connection that stands still must not fill the memory. */
import { INITIAL_CREDIT } from "../../stream/stream.ts";
import type { Outbox } from "../outbox.ts";

/** What all streams have at a time beyond the credit each begins with, sent and waiting or not sent yet. Bytes. */
const TOTAL = 33_554_432;
/** The most that one stream has. */
const MAX_SHARE = 1_064_960;

/** One direction of a stream that sends. */
export interface Borrower {
  /** What may still be sent; a message may overdraw it. */
  credit: number;
  /** Granted by the other end, and not handed on yet. */
  kept: number;
  /** A sender may send so many bytes more. */
  handOn(bytes: number): void;
}

/**
 * Passes the credit that the other end grants on to the senders, as far as there is room for what they will send. The
 * rest is handed on once others have sent. Streams that find nothing left go on with the credit they began with.
 */
export class SharedCredit {
  readonly #outbox: Outbox;
  #left = TOTAL;
  /** Sent while the connection was full: of what was left, and in all. */
  #borrowed = 0;
  #queued = 0;
  readonly #waiting = new Set<Borrower>();
  #isSharing = false;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** Bytes of streams that may still wait for the connection, at the most. */
  get queued(): number {
    return this.#queued;
  }

  /** The other end has granted a stream so much more. */
  grant(stream: Borrower, bytes: number): void {
    stream.kept += bytes;
    this.#share(stream);
  }

  /** A stream has sent so many bytes. */
  spend(stream: Borrower, bytes: number): void {
    const before = beyond(stream);
    stream.credit -= bytes;
    const freed = before - beyond(stream);
    if (this.#outbox.isBlocked) {
      this.#borrowed += freed;
      this.#queued += bytes;
    } else {
      this.#left += freed;
      this.#shareAll();
    }
  }

  /** The connection has taken everything. */
  drained(): void {
    this.#left += this.#borrowed;
    this.#borrowed = 0;
    this.#queued = 0;
    this.#shareAll();
  }

  /** A stream sends nothing any more. */
  end(stream: Borrower): void {
    this.#left += beyond(stream);
    stream.credit = 0;
    stream.kept = 0;
    this.#waiting.delete(stream);
  }

  #shareAll(): void {
    if (this.#waiting.size === 0 || this.#isSharing) return;
    this.#isSharing = true; // a sender that gets credit may send at once
    for (const stream of this.#waiting) this.#share(stream);
    this.#isSharing = false;
  }

  #share(stream: Borrower): void {
    const room = Math.min(stream.kept, MAX_SHARE - stream.credit);
    const given = Math.min(room, Math.max(0, INITIAL_CREDIT - stream.credit) + this.#left);
    if (given <= 0 || this.#outbox.isBlocked) {
      this.#waiting.add(stream);
      return;
    }
    const before = beyond(stream);
    stream.credit += given;
    stream.kept -= given;
    this.#left -= beyond(stream) - before;
    if (stream.kept === 0) this.#waiting.delete(stream);
    else this.#waiting.add(stream);
    stream.handOn(given);
  }
}

/** What of a stream's credit all streams share. */
function beyond({ credit }: Borrower): number {
  return Math.max(0, credit - INITIAL_CREDIT);
}
