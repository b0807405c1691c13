import type { Codec, CodecSupports } from "./codec.ts";
import { MAX_DEPTH, undecodable, writingAs } from "./refusal.ts";
import { readStrictUtf8 } from "./strict-text.ts";
import { readXml, type MakeParser } from "./xml-reader.ts";
import { writeDocument, writeValue } from "./xml-writer.ts";

export interface XmlOptions {
  /**
   * What is written. `"value"`, the default: any value, in elements that say of what type they are. `"document"`: a
   * document as others have it, from an object with one key. Both are read by either.
   */
  readonly style?: "value" | "document";
}

/** U+FEFF at the beginning of a document says that it is UTF-8, and is not part of it. */
const MARK_LENGTH = 3;

const VALUE_SUPPORTS: CodecSupports = {
  kinds: [
    "null",
    "boolean",
    "number",
    "special number",
    "negative zero",
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
};

/**
 * XML 1.0 in UTF-8, without document type declarations, so without entities of its own. Resolves when the parser,
 * `saxes`, is loaded.
 *
 * Values follow JSON's rules (`toJSON`; no `undefined` in objects), but bytes, dates, bigints, infinities, NaN and -0
 * survive. Documents of others are read as an object with one key, the root: attributes are keys with `@` before them,
 * repeated elements are arrays, text beside elements or attributes is `#text`; all ends are strings, and the order of
 * elements with different names is not kept.
 */
export async function xml(options: XmlOptions = {}): Promise<Codec> {
  const { SaxesParser } = await import("saxes");
  const makeParser: MakeParser = () => new SaxesParser({ position: true });
  const documents = options.style === "document";
  const write = documents ? writeDocument : writeValue;
  const encode = (value: unknown): string => writingAs("XML", () => write(value));
  const decode = (bytes: Uint8Array, start: number, end: number): unknown => {
    const from = hasMark(bytes, start, end) ? start + MARK_LENGTH : start;
    const text = readStrictUtf8(bytes, from, end);
    if (text === undefined) throw undecodable("XML", "it is not UTF-8");
    return readXml(text, makeParser);
  };
  return {
    name: documents ? "xml-document" : "xml",
    contentType: "application/xml",
    aliases: ["text/xml", "+xml"],
    supports: documents ? { ...VALUE_SUPPORTS, kinds: [] } : VALUE_SUPPORTS,
    encode,
    decode,
    transfer: (value) => readXml(encode(value), makeParser),
  };
}

function hasMark(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start >= MARK_LENGTH &&
    bytes[start] === 0xef &&
    bytes[start + 1] === 0xbb &&
    bytes[start + 2] === 0xbf
  );
}
