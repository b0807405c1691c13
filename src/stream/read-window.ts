/** How far the other end of a stream may send ahead of the reader. */
import type { StreamEnd } from "../message/message.ts";
import { INITIAL_CREDIT } from "./stream.ts";

/** What all streams of a reader together may have unread, beyond what each begins with. Bytes. */
const TOTAL = 33_554_432;

/** Shares out how far other ends may send ahead of their readers. Readers that find nothing left are slower, not stuck. */
export class ReadBudget {
  #left = TOTAL;

  /** Up to this many bytes. */
  take(bytes: number): number {
    const taken = Math.min(bytes, this.#left);
    this.#left -= taken;
    return taken;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** Grants credit as one stream is read. */
export class ReadWindow {
  readonly #end: StreamEnd;
  readonly #size: number;
  readonly #budget: ReadBudget;
  /** Beyond the credit that every stream begins with; -1 before it was opened. */
  #extra = -1;
  /** Read and not yet granted anew. */
  #read = 0;

  /** `size` is what the stream may have unread. Bytes, more than every stream begins with. */
  constructor(end: StreamEnd, size: number, budget: ReadBudget) {
    this.#end = end;
    this.#size = size;
    this.#budget = budget;
  }

  /** The reader has begun: the other end may send ahead. */
  open(): void {
    if (this.#extra >= 0) return;
    this.#extra = this.#budget.take(this.#size - INITIAL_CREDIT);
    if (this.#extra > 0) this.#end.grant(this.#extra);
  }

  /** So many bytes more were read. */
  read(bytes: number): void {
    this.#read += bytes;
    if (this.#read < (this.#extra + INITIAL_CREDIT) / 2) return;
    const granted = this.#read;
    this.#read = 0; // first, because the other end may send, and be read, before this returns
    this.#end.grant(granted);
  }

  /** Nothing more will be read. */
  close(): void {
    if (this.#extra > 0) this.#budget.give(this.#extra);
    this.#extra = 0;
  }
}
