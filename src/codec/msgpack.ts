import type { ExtensionCodecType } from "@msgpack/msgpack";
import type { Codec, CodecSupports } from "./codec.ts";
import { plainMsgpack } from "./msgpack-plain.ts";
import { dateOfTimestamp } from "./msgpack-timestamp.ts";
import { scanMsgpack } from "./msgpack-scan.ts";
import { MAX_DEPTH, undecodable, writingAs } from "./refusal.ts";

const SUPPORTS: CodecSupports = {
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
  refusedKeys: ["__proto__"],
  depth: MAX_DEPTH,
  empty: false,
  strict: true,
};

/**
 * MessagePack. Resolves when the library that reads and writes it, `@msgpack/msgpack`, is loaded.
 *
 * Values follow JSON's rules (`toJSON`; no `undefined` in objects), but bytes, dates, infinities, NaN and integers up to
 * 64 bits survive: what a number holds exactly arrives as a number, larger ones as bigint. Dates are timestamps of the
 * specification, in whole milliseconds; extensions of other types are refused, and so is the key `__proto__`.
 *
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export async function msgpack(): Promise<Codec> {
  const library = await import("@msgpack/msgpack");
  const extensionCodec: ExtensionCodecType<undefined> = {
    tryToEncode: (value) => library.ExtensionCodec.defaultCodec.tryToEncode(value, undefined),
    decode(data, type) {
      if (type !== library.EXT_TIMESTAMP) throw new Error(`extension type ${type} is not known`);
      return dateOfTimestamp(data);
    },
  };
  // The library counts what is in the innermost array as a level too.
  const options = { useBigInt64: true, maxDepth: MAX_DEPTH + 1, extensionCodec };

  const encode = (value: unknown): Uint8Array =>
    writingAs("msgpack", () => library.encode(plainMsgpack(value, "", 0), options));
  const decode = (bytes: Uint8Array, start: number, end: number): unknown => {
    const payload = scanMsgpack(bytes, start, end);
    try {
      return library.decode(payload, options);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw undecodable("msgpack", why, undefined, error);
    }
  };
  return {
    name: "msgpack",
    contentType: "application/msgpack",
    aliases: ["application/vnd.msgpack", "application/x-msgpack", "+msgpack"],
    supports: SUPPORTS,
    encode,
    decode,
    transfer(value) {
      const bytes = encode(value);
      return decode(bytes, 0, bytes.length);
    },
  };
}
