/**
 * Parts of a JSON text as they are written: a value that is only passed on keeps its digits, the order of its keys and keys
 * that it has twice. The texts must be JSON, which their parser has found; these functions do not look again.
 */
import { readUtf8 } from "../message/text.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const SPACE = 0x20;

/** Where a value stands in a text. */
export interface Slice {
  readonly start: number;
  readonly end: number;
}

/** The members of the object that begins at `start`, by name; of a name that is there twice the last, as with `JSON.parse`. */
export function membersOf(json: Uint8Array, start = 0): Map<string, Slice> {
  const members = new Map<string, Slice>();
  let at = skipSpace(json, skipSpace(json, start) + 1);
  while (json[at] === QUOTE) {
    const nameEnd = stringEnd(json, at);
    const name = JSON.parse(textAt(json, { start: at, end: nameEnd })) as string; // it is a string in quotes
    const valueStart = skipSpace(json, skipSpace(json, nameEnd) + 1);
    const value = { start: valueStart, end: valueEnd(json, valueStart) };
    members.set(name, value);
    at = skipSpace(json, value.end);
    if (json[at] === COMMA) at = skipSpace(json, at + 1);
  }
  return members;
}

/** The items of the array that begins at `start`. */
export function itemsOf(json: Uint8Array, start = 0): Slice[] {
  const items: Slice[] = [];
  let at = skipSpace(json, skipSpace(json, start) + 1);
  while (at < json.length && json[at] !== CLOSE_BRACKET) {
    const item = { start: at, end: valueEnd(json, at) };
    items.push(item);
    at = skipSpace(json, item.end);
    if (json[at] === COMMA) at = skipSpace(json, at + 1);
  }
  return items;
}

/** The text of a slice. */
export function textAt(json: Uint8Array, { start, end }: Slice): string {
  return readUtf8(json, start, end);
}

/** A JSON text in one line: line ends can only be white space between its tokens. */
export function inOneLine(json: string): string {
  return json.replaceAll(/[\r\n]/g, " ");
}

function skipSpace(json: Uint8Array, from: number): number {
  let at = from;
  while (at < json.length && json[at]! <= SPACE) at++;
  return at;
}

/** The place after the string that begins at `start`. */
function stringEnd(json: Uint8Array, start: number): number {
  for (let at = json.indexOf(QUOTE, start + 1); at >= 0; at = json.indexOf(QUOTE, at + 1)) {
    let before = at;
    while (json[before - 1] === BACKSLASH) before--;
    if ((at - before) % 2 === 0) return at + 1; // not escaped
  }
  return json.length;
}

function valueEnd(json: Uint8Array, start: number): number {
  if (json[start] === QUOTE) return stringEnd(json, start);
  let depth = 0;
  for (let at = start; at < json.length;) {
    const byte = json[at]!;
    if (byte === QUOTE) {
      at = stringEnd(json, at);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at; // of what the value is in
      depth--;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || byte === COLON || byte <= SPACE)) return at;
    at++;
  }
  return json.length;
}
