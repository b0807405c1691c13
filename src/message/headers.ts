/**
 * Headers travel as a header block: UTF-8 lines `name:value\n`. Names are lower-case HTTP field names, or
 * pseudo-headers that begin with a colon as in HTTP/2 (`:method`, `:path`). The block stays text or bytes until code
 * looks; hubs forward it unread.
 */
import { LintelError } from "./failure.ts";
import { shown } from "./options.ts";

/** Headers as callers write them. Names are case-insensitive; an array repeats the header. */
export type HeadersInit = Readonly<Record<string, string | readonly string[]>>;

const NAME = /^:?[a-z0-9!#$%&'*+.^_`|~-]+$/;
// oxlint-disable-next-line no-control-regex -- control characters are what it must find
const BAD_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]/;

// oxlint-disable-next-line no-control-regex -- control characters are what it must find
const BAD_HTTP_VALUE = /[^\t -~\u0080-\u00ff]/;

/** True for a value that HTTP carries, too: it has no characters past U+00FF. */
export function isHttpValue(value: string): boolean {
  return !BAD_HTTP_VALUE.test(value);
}

/** One line of a header block, checked: throws `BAD_HEADER` for what is not a legal name or value. */
export function headerLine(name: string, value: string): string {
  const lower = name.toLowerCase();
  if (!NAME.test(lower)) throw LintelError.of("BAD_HEADER", `"${printable(name)}" is not a header name`);
  if (typeof value !== "string") throw LintelError.of("BAD_HEADER", `the value of ${lower} is not a string`);
  if (BAD_VALUE.test(value))
    throw LintelError.of("BAD_HEADER", `the value of ${lower} has a control character`);
  return `${lower}:${value}\n`;
}

/** True for a value that a header may have. */
export function isHeaderValue(value: string): boolean {
  return !BAD_VALUE.test(value);
}

function printable(text: string): string {
  return JSON.stringify(text.slice(0, 64)).slice(1, -1);
}

/** The header block of these headers, checked. */
export function formatHeaders(init: HeadersInit): string {
  // What is iterated over, or is no object, has no names of its own: its headers would be left out silently.
  if (typeof init !== "object" || init === null || Symbol.iterator in init)
    throw LintelError.of(
      "BAD_HEADER",
      `headers are ${shown(init)}, they must be an object of names and values`,
    );
  let block = "";
  for (const [name, value] of Object.entries(init)) {
    if (Array.isArray(value)) for (const one of value) block += headerLine(name, one);
    else block += headerLine(name, value as string);
  }
  return block;
}

/** The first value of one header in a block, without parsing the rest. `name` must be lower case. */
export function findHeader(block: string, name: string): string | undefined {
  const key = `${name}:`;
  let at = block.startsWith(key) ? 0 : block.indexOf(`\n${key}`);
  if (at < 0) return undefined;
  if (at > 0 || !block.startsWith(key)) at += 1;
  const start = at + key.length;
  const end = block.indexOf("\n", start);
  return block.slice(start, end < 0 ? block.length : end);
}

/** Received headers, read-only, parsed when first looked at. */
export class MessageHeaders implements Iterable<[name: string, value: string]> {
  readonly #block: string;
  #entries: [string, string][] | undefined;

  constructor(block: string) {
    this.#block = block;
  }

  /** The first value of a header, or undefined. */
  get(name: string): string | undefined {
    return findHeader(this.#block, name.toLowerCase());
  }

  /** Every value of a header, in order. */
  getAll(name: string): string[] {
    const lower = name.toLowerCase();
    return this.#parsed()
      .filter(([key]) => key === lower)
      .map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Name and value pairs in order of arrival, pseudo-headers included. */
  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#parsed()[Symbol.iterator]();
  }

  /** A plain object; the values of a repeated header are joined with ", " as HTTP does. */
  toJSON(): Record<string, string> {
    const object: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const [name, value] of this.#parsed()) {
      object[name] = name in object ? `${object[name]}, ${value}` : value;
    }
    return object;
  }

  #parsed(): [string, string][] {
    this.#entries ??= parse(this.#block);
    return this.#entries;
  }
}

function parse(block: string): [string, string][] {
  const entries: [string, string][] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":", 1);
    if (colon > 0) entries.push([line.slice(0, colon), line.slice(colon + 1)]);
  }
  return entries;
}
