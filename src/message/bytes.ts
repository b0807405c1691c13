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

/** Part of an array, not copied. Several times cheaper than `subarray` of a Buffer. */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
