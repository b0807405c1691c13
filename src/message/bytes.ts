/**
 * A copy of part of an array. In Node it is a Buffer from the platform's pool, several times cheaper than a new array;
 * note that `slice` of a Buffer would be a view.
 */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (typeof Buffer !== "function") return bytes.slice(start, end);
  const copy = Buffer.allocUnsafe(end - start);
  copy.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
  return copy;
}

/** Part of an array, not copied. Several times cheaper than `subarray` of a Buffer. */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
