import { viewOf } from "../message/bytes.ts";
import type { Codec } from "./codec.ts";
import { undecodable, unwritable } from "./refusal.ts";
import { readStrictUtf8, wellFormed } from "./strict-text.ts";

/** Strings as UTF-8 text. */
export const text: Codec = {
  name: "text",
  contentType: "text/plain; charset=utf-8",
  supports: { kinds: [], depth: 0, empty: true, strict: true },
  encode: textOf,
  decode(bytes, start, end) {
    const read = readStrictUtf8(bytes, start, end);
    if (read === undefined)
      throw undecodable("text", "it is not UTF-8, and its type declares no other charset");
    return read;
  },
  transfer: (value) => wellFormed(textOf(value)),
};

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return String(value);
  } catch (error) {
    throw unwritable("text", "it has no text", error); // an object without a prototype, for one
  }
}

/** Bytes as they are. They are handed over, not copied: in one process the sender leaves them alone afterwards. */
export const bytes: Codec = {
  name: "bytes",
  contentType: "application/octet-stream",
  supports: { kinds: [], depth: 0, empty: true, strict: false },
  encode: (value) => value as Uint8Array,
  decode: viewOf,
  transfer: (value) => value,
};
