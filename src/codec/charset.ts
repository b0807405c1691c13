/** Text in the charset that its content type declares. */
import { LintelError } from "../message/failure.ts";
import { findHeader } from "../message/headers.ts";
import { undecodable } from "./refusal.ts";

const CHARSET = /;\s*charset\s*=\s*(?:"([^"]*)"|([^;\s]*))/i;
/** Names of UTF-8, and of what is part of it. */
const UTF8: ReadonlySet<string> = new Set(["", "utf-8", "utf8", "us-ascii", "ascii"]);

/** Where windows-1252, which latin1 is another name of, differs from the first 256 characters. Node 20 forgets it. */
const WINDOWS =
  "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
  "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";
const C1 = /[\u0080-\u009f]/g;

/** The charset that a content type declares, in lower case; undefined for UTF-8, which is meant when nothing is said. */
export function charsetOf(contentType: string): string | undefined {
  if (!contentType.includes(";")) return undefined;
  const found = CHARSET.exec(contentType);
  if (found === null) return undefined;
  const name = (found[1] ?? found[2] ?? "").trim().toLowerCase();
  return UTF8.has(name) ? undefined : name;
}

/**
 * Text in a charset, by the names of the Encoding Standard. Throws `UNSUPPORTED_MEDIA_TYPE` for one that the platform does
 * not know, `BAD_PAYLOAD` for bytes that are none of it: nothing is replaced.
 */
export function readCharset(bytes: Uint8Array, charset: string): string {
  // In the Encoding Standard it is little-endian, whatever the mark at the beginning says.
  const isBigEndian = charset === "utf-16" && bytes[0] === 0xfe && bytes[1] === 0xff;
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(isBigEndian ? "utf-16be" : charset, { fatal: true });
  } catch (error) {
    const shown = JSON.stringify(charset.slice(0, 64));
    throw LintelError.of("UNSUPPORTED_MEDIA_TYPE", `the charset ${shown} is not supported`, error);
  }
  try {
    const text = decoder.decode(bytes);
    return decoder.encoding === "windows-1252"
      ? text.replaceAll(C1, (one) => WINDOWS[one.charCodeAt(0) - 0x80]!)
      : text;
  } catch (error) {
    throw undecodable("text", `it has bytes that are not ${charset}`, undefined, error);
  }
}

/** Throws `UNSUPPORTED_MEDIA_TYPE` for a payload that is compressed: only its bytes can be had. */
export function checkCoding(head: string): void {
  const coding = findHeader(head, "content-encoding");
  if (coding === undefined || /^\s*(?:identity\s*)?$/i.test(coding)) return;
  const shown = JSON.stringify(coding.slice(0, 64));
  throw LintelError.of("UNSUPPORTED_MEDIA_TYPE", `the content coding ${shown} is not supported`);
}
