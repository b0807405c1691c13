import type { Codec } from "./codec.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";
import { MAX_DEPTH, writingAs } from "./refusal.ts";

/**
 * MessagePack. Values follow JSON's rules (`toJSON`; no `undefined` in objects), but bytes, dates, infinities, NaN, -0
 * and integers up to 64 bits survive: what a number holds exactly arrives as a number, larger ones as bigint. Dates are
 * timestamps of the specification, in whole milliseconds; extensions of other types are refused.
 *
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export const msgpack: Codec = {
  name: "msgpack",
  contentType: "application/msgpack",
  aliases: ["application/vnd.msgpack", "application/x-msgpack", "+msgpack"],
  supports: {
    kinds: [
      "null",
      "boolean",
      "number",
      "special number",
      "bigint",
      "string",
      "bytes",
      "date",
      "array",
      "object",
    ],
    depth: MAX_DEPTH,
    empty: false,
    strict: true,
  },

  encode(value) {
    return encode(value);
  },

  decode(bytes, start, end) {
    return new MsgpackReader(bytes, start, end).whole();
  },

  transfer(value) {
    const bytes = encode(value);
    return new MsgpackReader(bytes, 0, bytes.length).whole();
  },
};

function encode(value: unknown): Uint8Array {
  const writer = new MsgpackWriter();
  writingAs("msgpack", () => writer.write(value, "", 0));
  return writer.finish();
}
