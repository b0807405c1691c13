const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Cuts a stream of bytes into lines. Never holds more than one line, and no line over `limit` bytes. */
export class LineSplitter {
  readonly #limit: number;
  #pieces: Uint8Array[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that these bytes complete, without their line ends. Throws a RangeError for a line over the limit. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#hold(chunk.subarray(start, end));
      start = end + 1;
      yield this.#take();
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  /** What came after the last line end, if anything did. */
  rest(): Uint8Array | undefined {
    return this.#held === 0 ? undefined : this.#take();
  }

  #hold(piece: Uint8Array): void {
    this.#held += piece.length;
    if (this.#held > this.#limit) throw new RangeError(`a line is longer than ${this.#limit} bytes`);
    this.#pieces.push(piece);
  }

  #take(): Uint8Array {
    const line = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#held = 0;
    return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
  }
}
