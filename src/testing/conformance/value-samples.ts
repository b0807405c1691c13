import type { ValueKind } from "../../codec/codec.ts";

/** Values of each kind; what is in an array or object is null or another of them, so that they need no other kind. */
export const SAMPLES: Readonly<Record<ValueKind, readonly unknown[]>> = {
  null: [null],
  boolean: [true, false],
  number: [0, 1, -1.5, 255, 65_536, -2_147_483_649, Number.MAX_SAFE_INTEGER, 1e308, 5e-324],
  "negative zero": [-0],
  "special number": [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  bigint: [9_007_199_254_740_993n, 9_223_372_036_854_775_807n, -9_223_372_036_854_775_807n],
  string: ["", "text with \u00fcml\u00e4uts and \u{1f6aa}", "\u0000\r\n\t ", "<&>\"'\\]]>", "\ufeff"],
  bytes: [Uint8Array.of(), Uint8Array.of(0, 255, 10, 13), new Uint8Array(70_000).fill(7)],
  date: [new Date(0), new Date(1_700_000_000_123), new Date(-1)],
  array: [[], [[], [[]]], Array.from({ length: 300 }, () => [])],
  object: [
    {},
    { a: { b: {} }, "": {}, "a b": {}, "\u00e4": {}, "1": {} },
    JSON.parse('{"constructor":{"prototype":{"polluted":{}}},"toString":{}}'),
  ],
};

/** The value with all its byte arrays of one class, so that it can be compared. */
export function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map((item) => comparable(item));
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    Object.defineProperty(copy, name, {
      value: comparable(item),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}
