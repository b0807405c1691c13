import { LintelError } from "../message/failure.ts";
import { encodeUtf8 } from "../message/text.ts";
import type { Codec } from "./codec.ts";
import { deeperThan } from "./json-nesting.ts";
import { MAX_DEPTH, tooDeep, undecodable, unwritable } from "./refusal.ts";
import { readStrictUtf8 } from "./strict-text.ts";

/** A value that JSON cannot carry at all: undefined, a function, a symbol. */
const NOTHING = Symbol("no JSON");

export const json: Codec = {
  name: "json",
  contentType: "application/json",
  supports: {
    kinds: ["null", "boolean", "number", "string", "array", "object"],
    depth: MAX_DEPTH,
    empty: false,
    strict: true,
  },

  encode(value) {
    return stringify(value) ?? "null"; // at any depth: the reader checks it, and checking twice would cost much
  },

  decode(bytes, start, end) {
    // The platform's parser takes any depth; what walks the value afterwards has a stack that ends.
    const deepAt = deeperThan(MAX_DEPTH, bytes, start, end);
    if (deepAt >= 0) throw undecodable("JSON", `it is nested deeper than ${MAX_DEPTH}`, deepAt - start);
    const text = readStrictUtf8(bytes, start, end);
    if (text === undefined) throw undecodable("JSON", "it is not UTF-8");
    try {
      return JSON.parse(text);
    } catch (error) {
      throw undecodable("JSON", (error as Error).message, undefined, error);
    }
  },

  transfer(value) {
    try {
      const copy = copyJson(value, "", 0);
      return copy === NOTHING ? null : copy;
    } catch (error) {
      throw refusal(error);
    }
  },
};

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw refusal(error);
  }
}

/** Of cycles, a BigInt, a value too deep, or what a `toJSON` or getter throws. */
function refusal(error: unknown): LintelError {
  if (error instanceof LintelError) return error;
  return unwritable("JSON", error instanceof Error ? error.message : String(error), error);
}

/** `key` is what the value has in its object or array, which `toJSON` may ask for. */
function copyJson(value: unknown, key: string | number, depth: number): unknown {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "number") return Number.isFinite(value) ? (value === 0 ? 0 : value) : null; // no NaN, no Infinity, no -0
  if (typeof value === "object") return copyObject(value, key, depth);
  if (value === undefined || typeof value === "symbol") return NOTHING;
  return parseBack(value, key, depth); // a function or BigInt, which may have been given a toJSON
}

function copyObject(value: object, key: string | number, depth: number): unknown {
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON !== "function") return copyContents(value, key, depth);
  const plain: unknown = toJSON.call(value, String(key)); // asked once: what it returns is not asked again
  if (typeof plain === "object" && plain !== null) return copyContents(plain, key, depth);
  return copyJson(plain, key, depth);
}

function copyContents(value: object, key: string | number, depth: number): unknown {
  if (value.constructor !== Object && isBoxed(value)) return parseBack(value, key, depth);
  if (depth >= MAX_DEPTH) throw tooDeep("JSON");
  if (Array.isArray(value)) return copyItems(value, depth);
  return copyFields(value as Readonly<Record<string, unknown>>, depth);
}

function copyItems(items: readonly unknown[], depth: number): unknown[] {
  const copy = new Array<unknown>(items.length);
  for (let index = 0; index < items.length; index++) {
    const item = copyJson(items[index], index, depth + 1);
    copy[index] = item === NOTHING ? null : item;
  }
  return copy;
}

function copyFields(value: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  // Not over `Object.keys`: the engine knows where the fields of such a loop lie.
  for (const name in value) {
    if (!Object.prototype.hasOwnProperty.call(value, name)) continue;
    const item = copyJson(value[name], name, depth + 1);
    if (item === NOTHING) continue;
    if (name === "__proto__") defineField(copy, name, item);
    else copy[name] = item;
  }
  return copy;
}

/** A plain assignment would change the prototype. */
function defineField(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

function isBoxed(value: object): boolean {
  if (Array.isArray(value)) return false;
  return (
    value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt
  );
}

/** The journey through text, for what has rules of its own; under its key, which a `toJSON` may ask for. */
function parseBack(value: unknown, key: string | number, depth: number): unknown {
  const name = String(key);
  const text = JSON.stringify({ [name]: value });
  const bytes = encodeUtf8(text);
  if (deeperThan(MAX_DEPTH - depth + 1, bytes, 0, bytes.length) >= 0) throw tooDeep("JSON"); // +1: the object it is put in
  const holder = JSON.parse(text) as Record<string, unknown>;
  return Object.hasOwn(holder, name) ? holder[name] : NOTHING;
}
