import type { Clock } from "./clock.ts";

/** Holds a worker to its promise that it will be heard of again within a time (W-81). */
export class Watchdog {
  readonly #clock: Clock;
  readonly #lost: () => void;
  #withinMs = 0;
  #heardAt = 0;
  #timer: unknown;

  /** `lost` is called once, when the promise is broken. */
  constructor(clock: Clock, lost: () => void) {
    this.#clock = clock;
    this.#lost = lost;
  }

  /** Takes the place of the promise before; 0 is none. */
  promise(withinMs: number): void {
    this.stop();
    this.#withinMs = withinMs;
    this.#heardAt = this.#clock.now();
    if (withinMs > 0) this.#arm(withinMs);
  }

  /** Something has come. */
  heard(): void {
    if (this.#withinMs > 0) this.#heardAt = this.#clock.now();
  }

  stop(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      const left = this.#withinMs - (this.#clock.now() - this.#heardAt);
      if (left > 0) this.#arm(Math.ceil(left));
      else this.#lost();
    });
  }
}
