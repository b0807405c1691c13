import type { CommandLine } from "../../commands/line.ts";
import type { Clock } from "../../runtime/clock.ts";
import { StallWatch } from "../../session/stall-watch.ts";

export interface OutboxEvents {
  /** So much waits that the client is behind, or it no longer is. */
  changed(isFull: boolean): void;
  /** The client takes nothing of what waits. */
  stalled(): void;
}

export interface OutboxLimits {
  readonly clock: Clock;
  /** Bytes that may wait for one client. */
  readonly sessionBuffer: number;
  /** A client that takes nothing for so long is given up. Milliseconds. */
  readonly stallTimeout: number;
  /** What waits for all clients that are behind. */
  readonly unread: UnreadBytes;
}

/** Bytes that wait for all clients of a gateway that are behind. */
export class UnreadBytes {
  readonly #limit: number;
  taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isOver(): boolean {
    return this.taken > this.#limit;
  }
}

/** What is sent to one client, and whether it reads it. */
export class CommandOutbox {
  readonly #line: CommandLine;
  readonly #limits: OutboxLimits;
  readonly #events: OutboxEvents;
  readonly #stall: StallWatch;
  #isFull = false;
  #isWatched = false;
  /** What of its bytes is among those of all. */
  #counted = 0;
  /** UTF-16 units and bytes that were sent, since the start. */
  #sent = 0;

  constructor(line: CommandLine, limits: OutboxLimits, events: OutboxEvents) {
    this.#line = line;
    this.#limits = limits;
    this.#events = events;
    this.#stall = new StallWatch({
      clock: limits.clock,
      timeoutMs: limits.stallTimeout,
      taken: () => this.#sent - line.buffered,
      required: () => 1,
      stalled: () => this.#stalled(),
    });
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** False when so many bytes more are too many. The client is watched then: it must take some of what waits. */
  hasRoomFor(bytes: number): boolean {
    const { sessionBuffer, unread } = this.#limits;
    if (this.#line.buffered + bytes <= sessionBuffer && !(this.#isFull && unread.isOver)) return true;
    this.#watch();
    return false;
  }

  send(encoded: string | Uint8Array): void {
    this.#sent += encoded.length;
    const hasRoom = this.#line.send(encoded);
    if (this.#isFull) return this.#count(this.#line.buffered);
    if (hasRoom) return;
    this.#isFull = true;
    this.#count(this.#line.buffered);
    this.#watch();
    this.#events.changed(true);
  }

  /** The line has room again. */
  drained(): void {
    if (!this.#isFull) return;
    this.stop();
    this.#events.changed(false);
  }

  stop(): void {
    this.#isFull = false;
    this.#isWatched = false;
    this.#stall.stop();
    this.#count(0);
  }

  #count(bytes: number): void {
    this.#limits.unread.taken += bytes - this.#counted;
    this.#counted = bytes;
  }

  #watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#stall.start();
  }

  #stalled(): void {
    this.#isWatched = false;
    if (this.#line.buffered > 0) this.#events.stalled();
  }
}
