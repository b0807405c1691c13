/** UTF-8 that must be well-formed, both ways. */
import { readUtf8 } from "../message/text.ts";

const REPLACEMENT = "\ufffd";
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Below this many bytes a plain loop beats the call into the platform. */
const SHORT = 16;

/** The text, or undefined when the bytes are no UTF-8. */
export function readStrictUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start < SHORT) {
    const ascii = readShortAscii(bytes, start, end);
    if (ascii !== undefined) return ascii;
  }
  const text = readUtf8(bytes, start, end);
  // Only a text with the replacement character can have been malformed: it alone is looked at twice.
  if (!text.includes(REPLACEMENT)) return text;
  try {
    return strict.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

function readShortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = "";
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    if (byte > 127) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Lone surrogates do not survive UTF-8. */
export function wellFormed(text: string): string {
  return (text as string & { toWellFormed(): string }).toWellFormed();
}
