/** Request bodies, within bounds for each, for each caller and for all together. */
import { failure, type Failure } from "../../message/failure.ts";
import { SharedBound } from "../../collections/shared-bound.ts";

export const BODIES_FULL: Failure = Object.freeze(
  failure("IN_FLIGHT_FULL", "the requests in flight have too many bytes of bodies"),
);

/** Bytes of bodies that may be held at a time. Shared by the gateways of a hub. */
export class BodyBudget extends SharedBound {
  /** Bytes that are held. */
  get held(): number {
    return this.taken;
  }
}

/** Memory stays within twice of what has arrived, however small the pieces are. */
export class BodyBuffer {
  received = 0;
  #bytes: Buffer | undefined;

  /** Adds a piece. `most` is what the whole may come to. */
  add(piece: Buffer, most: number): void {
    const { received } = this;
    this.received += piece.length;
    if (this.#bytes === undefined) {
      this.#bytes = piece; // often the whole body: not copied
      return;
    }
    if (this.received > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.min(most, Math.max(this.received, 2 * this.#bytes.length)));
      this.#bytes.copy(grown, 0, 0, received);
      this.#bytes = grown;
    }
    piece.copy(this.#bytes, received);
  }

  /** What has arrived. */
  bytes(): Uint8Array {
    return this.#bytes === undefined ? new Uint8Array(0) : this.#bytes.subarray(0, this.received);
  }

  /** Keeps nothing of it. */
  drop(): void {
    this.#bytes = undefined;
  }
}
