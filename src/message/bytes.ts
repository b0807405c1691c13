import { encodeUtf8 } from "./text.ts";

/** The memory of arrays up to this size is the garbage collector's own: they cost hardly more than a view. */
const SHORT = 64;

/** A copy of part of an array. A long one lies, in Node, in memory from the platform's pool, several times cheaper. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (end - start > SHORT && typeof Buffer === "function") return pooledCopyOf(bytes, start, end);
  const plain = bytes.constructor === Uint8Array ? bytes : viewOf(bytes, 0, bytes.length);
  return plain.slice(start, end); // of a Buffer it would be a view
}

function pooledCopyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(end - start);
  const copy = new Uint8Array(buffer, byteOffset, end - start);
  copy.set(viewOf(bytes, start, end));
  return copy;
}

/**
 * Part of an array, not copied. Several times cheaper than `subarray` of a Buffer. Throws when the array does not have the
 * part: what is no array of bytes has none.
 */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
  if (view.length !== end - start) throw new TypeError("these are not bytes");
  return view;
}

/** The platform's own getter: it asks the memory of an array, whatever the properties of the array say. */
// oxlint-disable-next-line typescript/unbound-method -- it is called with the array it is to ask
const byteLength = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  "byteLength",
)!.get!;

/** Bytes that an array really has now: 0 where its memory was given away, and of what is no array of bytes. */
export function sizeOf(bytes: unknown): number {
  try {
    return byteLength.call(bytes) as number;
  } catch {
    return 0;
  }
}

/**
 * The bytes of a chunk written to a stream of bytes: any part of any memory as it is, text as UTF-8. Throws a
 * `TypeError`, as the streams of Fetch do, for everything else, and for memory that was given away.
 */
export function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array && sizeOf(chunk) > 0) return chunk;
  if (typeof chunk === "string") return encodeUtf8(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength); // throws without memory
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (typeof SharedArrayBuffer === "function" && chunk instanceof SharedArrayBuffer)
    return new Uint8Array(chunk);
  throw new TypeError(`a stream of bytes got a chunk that is neither bytes nor text: ${kindOf(chunk)}`);
}

/** What a value is, for a message that must not show the value. */
function kindOf(value: unknown): string {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  return Array.isArray(value) ? "an array" : "an object";
}
