/** Netstrings: `5:hello,`. The length is decimal, without leading zeros, and counts bytes. */
import { copyOf } from "../message/bytes.ts";
import { maxUtf8Length, writeUtf8 } from "../message/text.ts";
import { undecodable } from "./refusal.ts";
import { readStrictUtf8 } from "./strict-text.ts";

const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const COMMA = 0x2c;
/** Digits of a length; nothing that fits into memory needs more. */
const MAX_DIGITS = 10;

/** Reads netstrings one after the other between two offsets. */
export class NetstringReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  /** From where offsets in errors are counted. */
  readonly #origin: number;
  #at: number;
  /** Where the content of the last one begins and ends. */
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array, start: number, end: number, origin: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#origin = origin;
  }

  /** Goes on to the next one; false when there is none. Throws `BAD_PAYLOAD`. */
  next(): boolean {
    if (this.#at === this.#end) return false;
    const length = this.#length();
    this.start = this.#at;
    if (length >= this.#end - this.start) throw this.#refusal("a length reaches past the end");
    this.end = this.start + length;
    this.#at = this.end;
    if (this.#bytes[this.end] !== COMMA) throw this.#refusal("a netstring does not end with a comma");
    this.#at++;
    return true;
  }

  /** The content of the last one as text. Throws `BAD_PAYLOAD` when it is no UTF-8. */
  text(): string {
    const text = readStrictUtf8(this.#bytes, this.start, this.end);
    if (text === undefined) throw undecodable("netstring", "a text is not UTF-8", this.start - this.#origin);
    return text;
  }

  /** The content of the last one: text, or, where it is no UTF-8, a copy of the bytes. */
  textOrBytes(): string | Uint8Array {
    const text = readStrictUtf8(this.#bytes, this.start, this.end);
    return text ?? copyOf(this.#bytes, this.start, this.end);
  }

  /** The netstrings in the content of the last one. */
  inner(): NetstringReader {
    return new NetstringReader(this.#bytes, this.start, this.end, this.#origin);
  }

  #length(): number {
    const first = this.#at;
    let length = 0;
    for (; this.#at < this.#end; this.#at++) {
      const byte = this.#bytes[this.#at]!;
      if (byte === COLON && this.#at > first) {
        this.#at++;
        return length;
      }
      if (byte < ZERO || byte > NINE) throw this.#refusal("a length has characters other than digits");
      if (this.#at > first && length === 0) throw this.#refusal("a length has a leading zero");
      if (this.#at - first === MAX_DIGITS) throw this.#refusal("a length has too many digits");
      length = length * 10 + byte - ZERO;
    }
    throw this.#refusal("a length does not end");
  }

  #refusal(why: string): Error {
    return undecodable("netstring", why, this.#at - this.#origin);
  }
}

/** One netstring with these bytes, given as the latin1 text that stands for them. */
export function netstring(content: string): string {
  return `${content.length}:${content},`;
}

/** UTF-8 of a text as latin1 text, one character per byte, so that pieces can be joined and counted. */
export function latin1OfUtf8(text: string): string {
  // oxlint-disable-next-line no-control-regex -- ASCII is what it must find
  if (/^[\u0000-\u007f]*$/.test(text)) return text;
  const bytes = new Uint8Array(maxUtf8Length(text));
  const length = writeUtf8(bytes, text, 0);
  let latin1 = "";
  for (let index = 0; index < length; index++) latin1 += String.fromCharCode(bytes[index]!);
  return latin1;
}

/** The bytes a latin1 text stands for. */
export function bytesOfLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
