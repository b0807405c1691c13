/** Slows publishers down when the hub does not take what they publish. */
import { LintelError } from "../../message/failure.ts";
import { defer, type Deferred } from "../../runtime/deferred.ts";
import type { Outbox } from "../../session/outbox.ts";

export class PublishBackpressure {
  readonly #sessionBuffer: number;
  #writable: Deferred | undefined;

  /** `sessionBuffer` is the limit of that name, in bytes. */
  constructor(sessionBuffer: number) {
    this.#sessionBuffer = sessionBuffer;
  }

  /**
   * To be called before a publication is taken. Throws `SLOW_CONSUMER` when publishers have ignored the promises they got:
   * they must not fill the memory of their process.
   */
  check({ queued }: Outbox): void {
    if (queued <= 4 * this.#sessionBuffer) return;
    const text = "the hub does not keep up, and publish() was called without awaiting its promise";
    throw LintelError.of("SLOW_CONSUMER", text);
  }

  /** What the publisher is to wait for: undefined while there is room. */
  wait({ queued }: Outbox): Promise<void> | undefined {
    if (queued <= this.#sessionBuffer / 8) return undefined;
    this.#writable ??= defer();
    return this.#writable.promise;
  }

  /** There is room again, or nothing to wait for. */
  release(): void {
    this.#writable?.resolve();
    this.#writable = undefined;
  }
}
