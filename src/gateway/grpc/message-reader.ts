/** Cuts the bytes of a gRPC call into messages: a byte of flags, four bytes of length, and as many bytes. */
import { LintelError } from "../../message/failure.ts";

const PREFIX = 5;
/** What a message is given room for at first; it grows with what has arrived, not with what its length claims. */
const FIRST_ROOM = 4_096;
const NO_BYTES = new Uint8Array(0);

export class MessageReader {
  readonly #maxLength: number;
  readonly #prefix = new Uint8Array(PREFIX);
  readonly #message: (bytes: Uint8Array) => void;
  /** Bytes of the prefix that have arrived. */
  #prefixed = 0;
  /** Length of the message; once the prefix is whole. */
  #length = 0;
  #bytes: Uint8Array = NO_BYTES;
  #filled = 0;

  /** `message` is given each message, with bytes that are its own from then on. */
  constructor(maxLength: number, message: (bytes: Uint8Array) => void) {
    this.#maxLength = maxLength;
    this.#message = message;
  }

  /** True between two messages. */
  get isEmpty(): boolean {
    return this.#prefixed === 0;
  }

  /** Takes what has arrived, to keep. Throws `TOO_LARGE`, `BAD_FRAME`, or `unimplemented` for what is compressed. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#prefixed < PREFIX) {
        this.#prefix[this.#prefixed++] = chunk[at++]!;
        if (this.#prefixed === PREFIX) this.#begin();
      } else if (this.#filled === 0 && chunk.length - at >= this.#length) {
        const whole = chunk.subarray(at, at + this.#length);
        at += this.#length;
        this.#end(whole);
      } else {
        const taken = Math.min(chunk.length - at, this.#length - this.#filled);
        this.#append(chunk.subarray(at, at + taken));
        at += taken;
        if (this.#filled === this.#length) this.#end(this.#bytes.subarray(0, this.#length));
      }
    }
  }

  #begin(): void {
    const [flags = 0, a = 0, b = 0, c = 0, d = 0] = this.#prefix;
    this.#length = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
    if (flags === 1) throw new LintelError("unimplemented", "messages must not be compressed");
    if (flags !== 0) throw LintelError.of("BAD_FRAME", `a message with the flags ${flags}`);
    if (this.#length > this.#maxLength)
      throw LintelError.of("TOO_LARGE", `a message of ${this.#length} bytes, over ${this.#maxLength}`);
    if (this.#length === 0) this.#end(NO_BYTES);
  }

  #append(part: Uint8Array): void {
    const needed = this.#filled + part.length;
    if (needed > this.#bytes.length) {
      const room = Math.min(this.#length, Math.max(FIRST_ROOM, needed, 2 * this.#bytes.length));
      const grown = new Uint8Array(room);
      grown.set(this.#bytes.subarray(0, this.#filled));
      this.#bytes = grown;
    }
    this.#bytes.set(part, this.#filled);
    this.#filled = needed;
  }

  #end(message: Uint8Array): void {
    this.#prefixed = 0;
    this.#filled = 0;
    this.#bytes = NO_BYTES;
    this.#message(message);
  }
}
