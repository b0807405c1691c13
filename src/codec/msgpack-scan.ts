import { copyOf } from "../message/bytes.ts";
import type { LintelError } from "../message/failure.ts";
import { MAX_DEPTH, undecodable } from "./refusal.ts";
import { readStrictUtf8 } from "./strict-text.ts";

const FLOAT_64 = 0xcb;

/**
 * A copy of the payload that the library can be given: one value, not nested too deep, whose lengths are true and whose
 * texts are UTF-8. The library bounds no depth, allocates what a length claims, and takes any bytes for text.
 */
export function scanMsgpack(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = copyOf(bytes, start, end);
  new MsgpackScan(copy).whole();
  return copy;
}

/** Passes over one value without making it. */
class MsgpackScan {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  whole(): void {
    this.#value(0);
    if (this.#at < this.#bytes.length) throw this.#refusal("there is more after the value", this.#at);
  }

  #value(depth: number): void {
    const tag = this.#length(1);
    if (tag < 0x80 || tag >= 0xe0) return;
    if (tag < 0x90) this.#items((tag & 0x0f) * 2, depth);
    else if (tag < 0xa0) this.#items(tag & 0x0f, depth);
    else if (tag < 0xc0) this.#text(tag & 0x1f);
    else if (tag < 0xc4) this.#constant(tag);
    else if (tag < 0xc7) this.#take(this.#length(1 << (tag - 0xc4))); // bytes
    else if (tag < 0xca) this.#take(this.#length(1 << (tag - 0xc7)) + 1); // extensions, with their type
    else if (tag < 0xcc) this.#take(4 << (tag - 0xca)); // floats
    else if (tag < 0xd4) this.#integer(1 << (tag & 0x03), tag >= 0xd0);
    else if (tag < 0xd9) this.#take((1 << (tag - 0xd4)) + 1); // extensions of fixed lengths
    else if (tag < 0xdc) this.#text(this.#length(1 << (tag - 0xd9)));
    else if (tag < 0xde) this.#items(this.#length(2 << (tag - 0xdc)), depth);
    else this.#items(this.#length(2 << (tag - 0xde)) * 2, depth);
  }

  #constant(tag: number): void {
    if (tag === 0xc1) throw this.#refusal(`no value begins with byte ${tag}`, this.#at - 1);
  }

  /**
   * The library reads all integers of 64 bits as bigints. Those that a number holds exactly are made floats, which are
   * of the same size and arrive as numbers.
   */
  #integer(size: number, signed: boolean): void {
    const at = this.#take(size);
    if (size < 8) return;
    const number = Number(signed ? this.#view.getBigInt64(at) : this.#view.getBigUint64(at));
    if (!Number.isSafeInteger(number)) return;
    this.#bytes[at - 1] = FLOAT_64;
    this.#view.setFloat64(at, number);
  }

  #text(length: number): void {
    const at = this.#take(length);
    if (readStrictUtf8(this.#bytes, at, at + length) === undefined)
      throw this.#refusal("a text is not UTF-8", at);
  }

  /** Every item takes a byte at least: a length that cannot be true is refused at once. */
  #items(count: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw this.#refusal(`it is nested deeper than ${MAX_DEPTH}`, this.#at - 1);
    if (count > this.#bytes.length - this.#at) throw this.#short();
    for (let index = 0; index < count; index++) this.#value(depth + 1);
  }

  /** An unsigned number of 1, 2 or 4 bytes. */
  #length(size: number): number {
    const at = this.#take(size);
    if (size === 1) return this.#bytes[at]!;
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  /** Offset of the next bytes, which are passed over. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw this.#short();
    this.#at = at + length;
    return at;
  }

  #short(): LintelError {
    return this.#refusal("a length reaches past the end", this.#at);
  }

  #refusal(why: string, at: number): LintelError {
    return undecodable("msgpack", why, at);
  }
}
