import { readUtf8 } from "../message/text.ts";
import type { Codec } from "./codec.ts";
import { json } from "./json.ts";

const BRACE = 0x7b;
const BRACKET = 0x5b;

/**
 * HTML forms, decoded into an object of strings; a repeated field becomes an array. `curl -d` says "form" whatever it
 * sends, so a body that begins with `{` or `[` is read as JSON: no form field begins with an unescaped one.
 */
export const form: Codec = {
  name: "form",
  contentType: "application/x-www-form-urlencoded",
  supports: { kinds: [], depth: 1, empty: false, strict: false },

  encode(value) {
    return new URLSearchParams(value as Record<string, string>).toString();
  },

  decode(bytes, start, end) {
    if (isJsonInForm(bytes, start)) return json.decode(bytes, start, end);
    return fieldsOf(new URLSearchParams(readUtf8(bytes, start, end)));
  },

  transfer(value) {
    return fieldsOf(new URLSearchParams(value as Record<string, string>));
  },
};

/** True for a payload that is called a form and is JSON. */
export function isJsonInForm(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === BRACE || bytes[start] === BRACKET;
}

function fieldsOf(pairs: URLSearchParams): Record<string, string | string[]> {
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    const known = fields.get(name);
    if (known === undefined) fields.set(name, value);
    else if (typeof known === "string") fields.set(name, [known, value]);
    else known.push(value);
  }
  return Object.fromEntries(fields);
}
