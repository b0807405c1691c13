import type { StreamEnd } from "../../message/message.ts";
import { ReadWindow, type ReadBudget } from "../../stream/read-window.ts";

/** How far the hub's side may be ahead of the peer. Bytes. */
export const WINDOW = 262_144;

/**
 * Grants credit for what the system has taken of what arrived on a stream. Not at once: a sender in this process that never
 * waits would never let the loop tell that the other end has left.
 */
export class TakenWindow {
  readonly #window: ReadWindow;
  readonly #isReady: () => boolean;
  /** Sent, and not granted anew. As credit counts it. */
  #sent = 0;
  #granting: ReturnType<typeof setImmediate> | undefined;
  #isClosed = false;

  /** `isReady`: the system has taken everything. */
  constructor(end: StreamEnd, budget: ReadBudget, isReady: () => boolean) {
    this.#window = new ReadWindow(end, WINDOW, budget);
    this.#isReady = isReady;
  }

  open(): void {
    this.#window.open();
  }

  /** So many bytes more were handed to the system. */
  sent(bytes: number): void {
    this.#sent += bytes;
    this.taken();
  }

  /** The system has taken everything, if it is ready. */
  taken(): void {
    if (!this.#isClosed && this.#isReady()) this.#granting ??= setImmediate(() => this.#grant());
  }

  /** Nothing more is granted. */
  close(): void {
    this.#isClosed = true;
    clearImmediate(this.#granting);
    this.#window.close();
  }

  #grant(): void {
    this.#granting = undefined;
    if (!this.#isReady()) return;
    const sent = this.#sent;
    this.#sent = 0; // first, because the sender may send at once
    this.#window.read(sent);
  }
}
