/** Notices that the other end of an open connection is gone: when nothing comes for a while it is asked for a sign of life. */
import type { Clock } from "../../runtime/clock.ts";
import { Watchdog } from "../../runtime/watchdog.ts";

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** After so long a silence the other end is asked, and after as long again it is lost. Milliseconds; 0 is never. */
  readonly intervalMs: number;
  /** Asks for any answer. */
  readonly ask: () => void;
  /** Called once. */
  readonly onSilent: () => void;
}

export class Heartbeat {
  readonly #watchdog: Watchdog;
  #hasAsked = false;

  constructor({ clock, intervalMs, ask, onSilent }: HeartbeatOptions) {
    this.#watchdog = new Watchdog(clock, () => {
      if (this.#hasAsked) return onSilent();
      this.#hasAsked = true;
      this.#watchdog.promise(intervalMs);
      ask();
    });
    this.#watchdog.promise(intervalMs);
  }

  /** Something has come. */
  heard(): void {
    this.#hasAsked = false;
    this.#watchdog.heard();
  }

  stop(): void {
    this.#watchdog.stop();
  }
}
