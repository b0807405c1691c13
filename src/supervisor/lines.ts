const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Of UTF-8. Bytes. */
const LONGEST_CHARACTER = 4;

/** Cuts a stream of bytes into lines. Never holds more than one line, and no line over `limit` bytes. */
export class LineSplitter {
  readonly #limit: number;
  readonly #tooLong: "refuse" | "cut";
  #pieces: Uint8Array[] = [];
  #held = 0;

  /** A line over the limit is an error, or is cut into several, between two characters of UTF-8. */
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
      const full = Buffer.concat(this.#pieces);
      const end = cutBefore(full, rest[0]!);
      this.#pieces = [full.subarray(end)];
      this.#held = full.length - end;
      yield full.subarray(0, end);
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

/** Where to cut bytes that go on with `next`: at their end, or before the character that would be cut. */
function cutBefore(bytes: Uint8Array, next: number): number {
  let byte = next;
  let end = bytes.length;
  while (isInside(byte) && end > 1 && bytes.length - end < LONGEST_CHARACTER - 1) byte = bytes[--end]!;
  return isInside(byte) ? bytes.length : end;
}

/** True for a byte of UTF-8 that begins no character. */
function isInside(byte: number): boolean {
  return byte >= 0x80 && byte < 0xc0;
}
