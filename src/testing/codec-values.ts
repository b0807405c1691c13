/** Values for the tests of codecs: made at random by what a codec supports, and compared whatever holds their bytes. */
import type * as FastCheck from "fast-check";
import type { ValueKind } from "../codec/codec.ts";

type Fc = typeof FastCheck;

/** Any value of these kinds, nested freely, without these keys. */
export function valuesOf(
  fc: Fc,
  kinds: readonly ValueKind[],
  refusedKeys: readonly string[] = [],
): FastCheck.Arbitrary<unknown> {
  const leaves = kinds
    .filter((kind) => kind !== "array" && kind !== "object")
    .map((kind) => leafOf(fc, kind));
  const key = fc
    .oneof(keyOf(fc), fc.constantFrom("__proto__", "constructor", "toString", "", "1", "a b", "xml"))
    .filter((name) => !refusedKeys.includes(name));
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      ...leaves,
      fc.array(tie("value"), { maxLength: 6 }),
      fc.array(fc.tuple(key, tie("value")), { maxLength: 6 }).map(Object.fromEntries),
    ),
  }));
  return value;
}

function keyOf(fc: Fc): FastCheck.Arbitrary<string> {
  return fc.oneof(fc.string({ unit: "grapheme", maxLength: 8 }), fc.string({ unit: "binary", maxLength: 4 }));
}

function leafOf(fc: Fc, kind: ValueKind): FastCheck.Arbitrary<unknown> {
  switch (kind) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "number":
      return fc
        .oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }))
        .map((n) => (n === 0 ? 0 : n));
    case "special number":
      return fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    case "negative zero":
      return fc.constant(-0);
    case "bigint":
      return fc.oneof(
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
        fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
      );
    case "string":
      return fc.oneof(
        fc.string({ unit: "binary", maxLength: 40 }),
        fc.string({ maxLength: 300 }),
        fc.constantFrom("\r\n", "\t a ", "]]>", "<&>\"'", "\ufeff", "\ufffd", "\ufffe", "\u0000"),
      );
    case "bytes":
      return fc.uint8Array({ maxLength: 300 });
    case "date":
      return fc.date({ noInvalidDate: true });
    case "array":
      return fc.constant([]);
    case "object":
      return fc.constant({});
  }
}

/** Values that codecs treat by rules of their own, or refuse. */
export function oddValues(fc: Fc): FastCheck.Arbitrary<unknown> {
  return fc.oneof(
    fc.anything({
      withBigInt: true,
      withDate: true,
      withBoxedValues: true,
      withNullPrototype: true,
      withTypedArray: true,
    }),
    fc.anything().map((inner) => ({ toJSON: () => inner, hidden: 1 })),
    fc.constantFrom<unknown>(() => 1, Symbol("x"), new Date(Number.NaN), new Map([[1, 2]]), 2n ** 70n),
  );
}

/** The value with its byte arrays as text and no classes, so that it can be compared. */
export function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(
    ([key, item]: [string, unknown]) => [key, comparable(item)] as const,
  );
  return new Map(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** A value of a vector file: JSON, with `$bytes`, `$date`, `$bigint` and `$number` for what JSON does not have. */
export function revive(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(revive);
  const entries = Object.entries(value);
  const [first] = entries;
  if (first !== undefined && entries.length === 1 && typeof first[1] === "string") {
    const [kind, text] = first as [string, string];
    if (kind === "$bytes") return new Uint8Array(Buffer.from(text, "hex"));
    if (kind === "$date") return new Date(text);
    if (kind === "$bigint") return BigInt(text);
    if (kind === "$number") return Number(text);
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, revive(item)]));
}
