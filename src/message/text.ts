/**
 * UTF-8 in and out of byte arrays. Node's Buffer does it several times faster than TextEncoder on short strings;
 * where there is no Buffer the standard classes serve.
 */
type BufferMethods = {
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

/** Pages may have an imitation of Buffer, which lacks what is not documented. */
const native: BufferMethods | undefined =
  typeof Buffer === "function" && "utf8Write" in Buffer.prototype ? Buffer.prototype : undefined;
const encoder = new TextEncoder();
/** Keeps a byte order mark, as Buffer does. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Below this many characters a plain loop beats the call into the platform. */
const SHORT = 24;

/** Bytes that `text` needs at the most. */
export function maxUtf8Length(text: string): number {
  return text.length * 3;
}

/** Writes `text` at `offset` and returns the bytes written. The caller has made sure of `maxUtf8Length` bytes of room. */
export function writeUtf8(bytes: Uint8Array, text: string, offset: number): number {
  const length = text.length;
  if (length < SHORT) {
    let index = 0;
    for (; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 127) break;
      bytes[offset + index] = unit;
    }
    if (index === length) return length;
  }
  if (native !== undefined) return native.utf8Write.call(bytes, text, offset, bytes.length - offset);
  return encoder.encodeInto(text, bytes.subarray(offset)).written;
}

/** The text between two offsets; malformed sequences read as U+FFFD. */
export function readUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (start === end) return "";
  if (native !== undefined) return native.utf8Slice.call(bytes, start, end);
  return decoder.decode(bytes.subarray(start, end));
}

/** A new array with the text's bytes. */
export function encodeUtf8(text: string): Uint8Array {
  return native === undefined ? encoder.encode(text) : Buffer.from(text, "utf8");
}
