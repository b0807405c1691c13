/** A request body while it arrives. Memory stays within twice of what has arrived, however small the pieces are. */
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
