const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Cuts a stream of bytes into lines. Never holds more than one line, and no line over `limit` bytes. */
export class LineSplitter {
  readonly #limit: number;
  readonly #tooLong: "refuse" | "cut";
  #pieces: Uint8Array[] = [];
  #held = 0;

  /** A line over the limit is an error, or is cut into several. */
  constructor(limit: number, tooLong: "refuse" | "cut" = "refuse") {
    this.#limit = limit;
    this.#tooLong = tooLong;
  }

  /** The lines that these bytes complete, without their line ends. Throws a RangeError for a line over the limit. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield* this.#hold(chunk.subarray(start, end));
      start = end + 1;
      yield this.#take();
    }
    if (start < chunk.length) yield* this.#hold(chunk.subarray(start));
  }

  /** What came after the last line end, if anything did. */
  rest(): Uint8Array | undefined {
    return this.#held === 0 ? undefined : this.#take();
  }

  *#hold(piece: Uint8Array): Generator<Uint8Array, void> {
    let rest = piece;
    while (this.#held + rest.length > this.#limit) {
      if (this.#tooLong === "refuse") throw new RangeError(`a line is longer than ${this.#limit} bytes`);
      const room = this.#limit - this.#held;
      this.#pieces.push(rest.subarray(0, room));
      rest = rest.subarray(room);
      yield this.#take();
    }
    this.#held += rest.length;
    this.#pieces.push(rest);
  }

  #take(): Uint8Array {
    const line = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#held = 0;
    return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
  }
}
