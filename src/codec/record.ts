/** Objects whose keys come from strangers, and values as JSON's rules see them. */

/** Sets a key as a property of its own, also `__proto__`, which would otherwise change the object's prototype. */
export function setKey(record: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    record[key] = value;
  }
}

/** True for what JSON leaves out of objects and turns to null elsewhere. */
export function isNothing(value: unknown): boolean {
  return value === undefined || typeof value === "function" || typeof value === "symbol";
}

/**
 * An object as JSON would begin with it: what its `toJSON` gives, or the primitive in a `new Number` and its like; any
 * other stays what it is. Bytes and dates are the codec's own affair and must not get here.
 */
export function plainOf(value: object, key: string): unknown {
  if ("toJSON" in value && typeof value.toJSON === "function") return value.toJSON(key) as unknown;
  if (
    value instanceof Number ||
    value instanceof String ||
    value instanceof Boolean ||
    value instanceof BigInt
  ) {
    return value.valueOf();
  }
  return value;
}
