import type { ByteBudget } from "./byte-budget.ts";
import { LintelError } from "../message/failure.ts";
import { encodeUtf8, readUtf8 } from "../message/text.ts";
import { MAX_DEPTH, undecodable } from "../codec/refusal.ts";
import { readStrictUtf8 } from "../codec/strict-text.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
/** The bit that `{` and `}` have, and `[` and `]` lack. */
const BRACE_BIT = 0x20;
const CLOSE_BRACE = 0x7d;
const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A value may be nested as deep as any JSON payload, inside its command. */
const MAX_COMMAND_DEPTH = MAX_DEPTH + 1;
const FIRST_CAPACITY = 1024;
/** A larger buffer is given back after the object that needed it. */
const KEPT_CAPACITY = 4096;

/**
 * Splits a stream of JSON objects into their texts, wherever the stream was split. It counts brackets outside of strings and
 * leaves the rest to the parser. Bounded: an object past `maxBytes` or nested too deep is refused before it is complete.
 */
export class JsonObjectStream {
  readonly #maxBytes: number;
  readonly #budget: ByteBudget | undefined;
  /** The first part of an object whose end has not come. */
  #begun = new Uint8Array(0);
  #size = 0;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  constructor(maxBytes: number, budget?: ByteBudget) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** Calls `take` with the text of each object that is complete, until it returns false. Throws `BAD_PAYLOAD`, `TOO_LARGE` and `IN_FLIGHT_FULL`. */
  push(chunk: Uint8Array | string, take: (text: string) => boolean): void {
    const bytes = typeof chunk === "string" ? encodeUtf8(chunk) : chunk;
    let at = 0;
    while (at < bytes.length) {
      if (this.#depth === 0) at = beginOf(bytes, at);
      if (at === bytes.length) return;
      const end = this.#scan(bytes, at);
      this.#checkSize(end - at);
      if (this.#depth > 0) return this.#keep(bytes, at, end);
      const text = this.#textUpTo(bytes, at, end);
      if (!take(text)) return;
      at = end;
    }
  }

  /** Gives back what it has kept. */
  end(): void {
    this.#resize(0);
  }

  /** The end of the object, or of the bytes when it goes on. */
  #scan(bytes: Uint8Array, from: number): number {
    let depth = this.#depth;
    let at = from;
    for (; at < bytes.length; at++) {
      if (this.#isInString) {
        at = this.#stringEnd(bytes, at);
        continue;
      }
      const byte = bytes[at]!;
      if (byte === QUOTE) this.#isInString = true;
      else if ((byte | BRACE_BIT) === OPEN_BRACE) {
        if (++depth > MAX_COMMAND_DEPTH)
          throw undecodable("a command", `it is nested deeper than ${MAX_DEPTH}`);
      } else if ((byte | BRACE_BIT) === CLOSE_BRACE && --depth === 0) {
        at++;
        break;
      }
    }
    this.#depth = depth;
    return Math.min(at, bytes.length);
  }

  /** Where the quote stands that ends the string, or the end of the bytes. */
  #stringEnd(bytes: Uint8Array, from: number): number {
    let isEscaped = this.#isEscaped;
    let at = from;
    for (; at < bytes.length; at++) {
      if (isEscaped) isEscaped = false;
      else if (bytes[at] === BACKSLASH) isEscaped = true;
      else if (bytes[at] === QUOTE) {
        this.#isInString = false;
        break;
      }
    }
    this.#isEscaped = isEscaped;
    return at;
  }

  #checkSize(more: number): void {
    if (this.#size + more > this.#maxBytes)
      throw LintelError.of("TOO_LARGE", `a command is over the limit of ${this.#maxBytes} bytes`);
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const size = this.#size + end - start;
    if (size > this.#begun.length) this.#resize(Math.max(FIRST_CAPACITY, size, this.#begun.length * 2));
    this.#begun.set(bytes.subarray(start, end), this.#size);
    this.#size = size;
  }

  #textUpTo(bytes: Uint8Array, start: number, end: number): string {
    if (this.#size === 0) return strictText(bytes, start, end);
    this.#keep(bytes, start, end);
    const text = strictText(this.#begun, 0, this.#size);
    this.#size = 0;
    if (this.#begun.length > KEPT_CAPACITY) this.#resize(0);
    return text;
  }

  #resize(capacity: number): void {
    const growth = capacity - this.#begun.length;
    if (growth < 0) this.#budget?.give(-growth);
    else if (this.#budget?.take(growth) === false)
      throw LintelError.of("IN_FLIGHT_FULL", "unfinished commands have taken all the memory that they may");
    const resized = new Uint8Array(capacity);
    resized.set(this.#begun.subarray(0, Math.min(this.#size, capacity)));
    this.#begun = resized;
  }
}

/** Where the next object begins, past white space. */
function beginOf(bytes: Uint8Array, from: number): number {
  let at = from;
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === OPEN_BRACE) return at;
    const isSpace = byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB;
    if (!isSpace)
      throw undecodable(
        "a command",
        `it begins with ${JSON.stringify(readUtf8(bytes, at, at + 1))}, not with {`,
      );
  }
  return at;
}

function strictText(bytes: Uint8Array, start: number, end: number): string {
  const text = readStrictUtf8(bytes, start, end);
  if (text === undefined) throw undecodable("a command", "it is not UTF-8");
  return text;
}
