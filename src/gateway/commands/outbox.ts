import type { CommandLine } from "../../commands/line.ts";
import type { Clock } from "../../runtime/clock.ts";
import { StallWatch } from "../../session/stall-watch.ts";

export interface OutboxEvents {
  /** So much waits that the client is behind, or it no longer is. */
  changed(isFull: boolean): void;
  /** The client takes nothing of what waits. */
  stalled(): void;
}

/** What is sent to one client, and whether it reads it. */
export class CommandOutbox {
  readonly #line: CommandLine;
  readonly #events: OutboxEvents;
  readonly #stall: StallWatch;
  #isFull = false;
  #isWatched = false;
  /** UTF-16 units and bytes that were sent, since the start. */
  #sent = 0;

  constructor(
    line: CommandLine,
    { clock, timeoutMs }: { clock: Clock; timeoutMs: number },
    events: OutboxEvents,
  ) {
    this.#line = line;
    this.#events = events;
    this.#stall = new StallWatch({
      clock,
      timeoutMs,
      taken: () => this.#sent - line.buffered,
      required: () => 1,
      stalled: () => this.#stalled(),
    });
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Bytes that wait. */
  get buffered(): number {
    return this.#line.buffered;
  }

  send(encoded: string | Uint8Array): void {
    this.#sent += encoded.length;
    if (this.#line.send(encoded) || this.#isFull) return;
    this.#isFull = true;
    this.watch();
    this.#events.changed(true);
  }

  /** Something was not sent because of what waits: the client must take some of it. */
  watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#stall.start();
  }

  /** The line has room again. */
  drained(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.stop();
    this.#events.changed(false);
  }

  stop(): void {
    this.#isWatched = false;
    this.#stall.stop();
  }

  #stalled(): void {
    this.#isWatched = false;
    if (this.buffered > 0) this.#events.stalled();
  }
}
