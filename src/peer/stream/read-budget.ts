/** What all streams of a peer together may have unread, beyond what each begins with. Bytes. */
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
