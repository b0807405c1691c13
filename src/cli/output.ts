/** Stdout as the commands use it: with backpressure, and with an end when the reader leaves. */
export class Output {
  readonly #stream: NodeJS.WriteStream & { readonly isTTY?: boolean } = process.stdout;
  readonly #gone = new AbortController();
  readonly #stop: AbortSignal;

  /** `stop` fires when the command is to end, whether or not what was written is read. */
  constructor(stop: AbortSignal) {
    this.#stop = stop;
    // EPIPE: the reader has left.
    this.#stream.on("error", () => this.#gone.abort());
  }

  /** Fires when the reader has left. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY ?? false; // not set on pipes and files
  }

  /** Resolves when more may be written, or the command is to end. */
  write(data: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#stop.removeEventListener("abort", done);
        resolve();
      };
      this.#stop.addEventListener("abort", done);
      this.#stream.write(data, done);
      if (this.#stop.aborted) done();
    });
  }
}
