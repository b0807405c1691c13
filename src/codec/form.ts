import type { Codec } from "./codec.ts";
import { json } from "./json.ts";
import { undecodable } from "./refusal.ts";
import { readStrictUtf8 } from "./strict-text.ts";

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
    const text = readStrictUtf8(bytes, start, end);
    if (text === undefined) throw undecodable("form", "it is not UTF-8");
    const pairs = new URLSearchParams(text);
    if (pairs.toString().includes(REPLACED)) checkEscapes(text);
    return fieldsOf(pairs);
  },

  transfer(value) {
    return fieldsOf(new URLSearchParams(value as Record<string, string>));
  },
};

/** True for a payload that is called a form and is JSON. */
export function isJsonInForm(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === BRACE || bytes[start] === BRACKET;
}

/** U+FFFD, which stands for escapes that are no UTF-8; a field may also have it itself. */
const REPLACED = "%EF%BF%BD";

/** Throws `BAD_PAYLOAD` when the bytes that are escaped are no UTF-8. */
function checkEscapes(text: string): void {
  for (const [run] of text.matchAll(/(?:%[\da-f]{2})+/gi)) {
    const bytes = Uint8Array.from(run.slice(1).split("%"), (hex) => Number.parseInt(hex, 16));
    if (readStrictUtf8(bytes, 0, bytes.length) === undefined)
      throw undecodable("form", `the bytes of ${run.slice(0, 24)} are not UTF-8`);
  }
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
