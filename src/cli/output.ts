/** Stdout as the commands use it: with backpressure, and with an end when the reader leaves. */
export class Output {
  readonly #stream: NodeJS.WriteStream & { readonly isTTY?: boolean } = process.stdout;
  readonly #gone = new AbortController();

  constructor() {
    // EPIPE: whoever read it has left.
    this.#stream.on("error", () => this.#gone.abort());
  }

  /** Fires when nobody reads any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY ?? false; // not set on pipes and files
  }

  /** Resolves when more may be written. */
  write(data: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.write(data, () => resolve());
    });
  }
}
