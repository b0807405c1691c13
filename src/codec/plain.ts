import { copyOf } from "../message/bytes.ts";
import { readUtf8 } from "../message/text.ts";
import type { Codec } from "./codec.ts";

/** Strings as UTF-8 text. */
export const text: Codec = {
  name: "text",
  contentType: "text/plain; charset=utf-8",
  encode: (value) => String(value),
  decode: readUtf8,
  transfer: (value) => value,
};

/** Bytes as they are. In one process they are handed over, not copied: the sender leaves them alone afterwards. */
export const bytes: Codec = {
  name: "bytes",
  contentType: "application/octet-stream",
  encode: (value) => value as Uint8Array,
  decode: copyOf,
  transfer: (value) => value,
};
