import { KEY_SIZE, Mask } from "./mask.ts";

const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/**
 * Takes the masks off the frames of a client, in place and as the bytes arrive, and sets the keys to zero: what is left
 * are the same frames under a mask that changes nothing. It does not check them; the reader of the frames does.
 *
 * The reader of `ws` would unmask too, but a byte at a time, which costs more than everything else the hub does.
 */
export class Unmasker {
  readonly #mask = new Mask();
  #state: "start" | "length" | "extended" | "key" | "payload" | "unmasked" = "start";
  /** Bytes of the present state that are still to come. */
  #left = 0;
  #length = 0;
  /** Bytes of the payload that have gone by, as far as the key minds. */
  #phase = 0;

  unmask(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      switch (this.#state) {
        case "start": // FIN, the reserved bits and the opcode
          at++;
          this.#state = "length";
          break;
        case "length":
          this.#lengthIs(bytes[at++]!);
          break;
        case "extended":
          this.#length = this.#length * 256 + bytes[at++]!;
          if (--this.#left === 0) this.#expectKey();
          break;
        case "key":
          this.#mask.key[KEY_SIZE - this.#left] = bytes[at]!;
          bytes[at++] = 0;
          if (--this.#left === 0) this.#expectPayload();
          break;
        case "payload":
          at = this.#payload(bytes, at);
          break;
        case "unmasked":
          return;
      }
    }
  }

  #lengthIs(byte: number): void {
    const length = byte & ~MASKED;
    if ((byte & MASKED) === 0) {
      this.#state = "unmasked"; // not for a server to take: nothing after it is read
    } else if (length === LENGTH_16 || length === LENGTH_64) {
      this.#state = "extended";
      this.#length = 0;
      this.#left = length === LENGTH_16 ? 2 : 8;
    } else {
      this.#length = length;
      this.#expectKey();
    }
  }

  #expectKey(): void {
    this.#state = "key";
    this.#left = KEY_SIZE;
  }

  #expectPayload(): void {
    this.#state = this.#length === 0 ? "start" : "payload";
    this.#left = this.#length;
    this.#phase = 0;
  }

  /** Returns where the payload, or what there is of it, ends. */
  #payload(bytes: Uint8Array, start: number): number {
    const end = Math.min(bytes.length, start + this.#left);
    this.#mask.apply(bytes, start, end, this.#phase);
    this.#phase = (this.#phase + end - start) & 3;
    this.#left -= end - start;
    if (this.#left === 0) this.#state = "start";
    return end;
  }
}
