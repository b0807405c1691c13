/** Headers of text messages as programs see and write them. */
import { LintelError } from "../message/failure.ts";
import type { TextHeaders } from "./message.ts";

/** Headers to send: names and values, or pairs where one repeats. */
export type TextHeadersInit = Readonly<Record<string, string>> | TextHeaders;

/** Headers of a message that has come: in the order and the spelling of its sender. Names are looked up in any spelling. */
export class TextHeaderList implements Iterable<readonly [name: string, value: string]> {
  readonly #headers: TextHeaders;

  constructor(headers: TextHeaders) {
    this.#headers = headers;
  }

  /** The first value with this name, without spaces around it. */
  get(name: string): string | undefined {
    const lower = name.toLowerCase();
    for (const [key, value] of this.#headers) if (key.toLowerCase() === lower) return value.trim();
    return undefined;
  }

  /** Every value with this name, in order. */
  getAll(name: string): string[] {
    const lower = name.toLowerCase();
    return this.#headers.filter(([key]) => key.toLowerCase() === lower).map(([, value]) => value.trim());
  }

  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.#headers[Symbol.iterator]();
  }
}

/** What the client and the server write themselves. */
const RESERVED = new Set(["reqid", "rid", "cid", "uid"]);

/** The headers as pairs. Throws `BAD_HEADER` for those that are not the sender's to write. */
export function pairsOf(init: TextHeadersInit = {}): TextHeaders {
  const pairs = Array.isArray(init)
    ? (init as TextHeaders)
    : Object.entries(init as Readonly<Record<string, string>>);
  for (const [name, value] of pairs) {
    if (typeof name !== "string" || typeof value !== "string")
      throw LintelError.of("BAD_HEADER", "the names and values of headers must be strings");
    if (RESERVED.has(name.toLowerCase()))
      throw LintelError.of("BAD_HEADER", `the header ${name} is not yours to write`);
  }
  return pairs;
}
