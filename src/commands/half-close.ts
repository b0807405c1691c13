import type { Clock } from "../runtime/clock.ts";
import type { CommandLine } from "./line.ts";

/** A line feed between commands means nothing. */
const NOTHING = "\n";
/**
 * When it is sent, in milliseconds after the end was read. Two are needed: the system of a client that is gone resets the
 * connection after the first, which the second finds out. Clients that close often wait for a second or two before they are gone.
 */
const PROBES_MS = [
  0, 5, 15, 60, 250, 1_000, 1_050, 3_000, 3_050, 10_000, 10_050, 30_000, 30_050, 60_000, 60_050, 120_000,
  120_050,
] as const;

/**
 * A client that has closed its connection and one that has only ended its side send the same (C-28, C-81). The line of the first
 * ends when it is sent to; the second waits for its answers, and reads over line feeds.
 */
export class HalfClose {
  readonly #line: CommandLine;
  readonly #clock: Clock;
  #probes = 0;
  #timer: unknown;

  constructor(line: CommandLine, clock: Clock) {
    this.#line = line;
    this.#clock = clock;
    this.#arm(0);
  }

  /** To be called when the line is over. */
  stop(): void {
    this.#clock.clear(this.#timer);
  }

  #arm(elapsed: number): void {
    const next = PROBES_MS[this.#probes++];
    if (next === undefined) return;
    this.#timer = this.#clock.after(next - elapsed, () => {
      this.#line.send(NOTHING);
      this.#arm(next);
    });
  }
}
