import { LintelError } from "../message/failure.ts";
import { readUtf8 } from "../message/text.ts";
import type { Codec } from "./codec.ts";

/** A value that JSON cannot carry at all: undefined, a function, a symbol. */
const NOTHING = Symbol("no JSON");

export const json: Codec = {
  name: "json",
  contentType: "application/json",
  supports: {
    kinds: ["null", "boolean", "number", "string", "array", "object"],
    depth: Number.POSITIVE_INFINITY,
    empty: false,
    strict: true,
  },

  encode(value) {
    const text = stringify(value);
    return text ?? "null";
  },

  decode(bytes, start, end) {
    const text = readUtf8(bytes, start, end);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw LintelError.of("BAD_PAYLOAD", `the payload is no JSON: ${(error as Error).message}`, error);
    }
  },

  transfer(value) {
    try {
      const copy = copyJson(value, "", 0);
      return copy === NOTHING ? null : copy;
    } catch (error) {
      throw unwritable(error);
    }
  },
};

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw unwritable(error);
  }
}

/** Cycles, a BigInt, a value too deep, or what a `toJSON` or getter throws. */
function unwritable(error: unknown): LintelError {
  const why = error instanceof Error ? error.message : String(error);
  return LintelError.of("BAD_PAYLOAD", `the value cannot be written as JSON: ${why}`, error);
}

/** How deep `transfer` follows a value by itself before it leaves it to JSON, which reports cycles. */
const MAX_DEPTH = 64;

function copyJson(value: unknown, key: string, depth: number): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? (value === 0 ? 0 : value) : null; // JSON has no NaN, no infinities and no -0
    case "object":
      return value === null ? null : copyObject(value, key, depth);
    case "bigint": // throws, unless somebody gave BigInt a toJSON
    case "function": // nothing, unless it has a toJSON
      return parseBack(value, key);
    default:
      return NOTHING;
  }
}

function copyObject(value: object, key: string, depth: number): unknown {
  if (depth > MAX_DEPTH) return parseBack(value, key);
  if (!("toJSON" in value) || typeof value.toJSON !== "function") return copyFields(value, key, depth);
  const plain: unknown = value.toJSON(key); // asked once: what it returns is not asked again
  if (typeof plain === "object" && plain !== null) return copyFields(plain, key, depth);
  return copyJson(plain, key, depth);
}

function copyFields(value: object, key: string, depth: number): unknown {
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    for (let index = 0; index < value.length; index++) {
      const item = copyJson(value[index], String(index), depth + 1);
      copy.push(item === NOTHING ? null : item);
    }
    return copy;
  }
  if (isBoxed(value)) return parseBack(value, key);
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const item = copyJson((value as Record<string, unknown>)[name], name, depth + 1);
    if (item === NOTHING) continue;
    if (name === "__proto__") {
      Object.defineProperty(copy, name, {
        value: item,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else {
      copy[name] = item;
    }
  }
  return copy;
}

function isBoxed(value: object): boolean {
  return (
    value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt
  );
}

/** The journey through text, for what has rules of its own; under its key, which a `toJSON` may ask for. */
function parseBack(value: unknown, key: string): unknown {
  const text = JSON.stringify({ [key]: value });
  const holder = JSON.parse(text) as Record<string, unknown>;
  return Object.hasOwn(holder, key) ? holder[key] : NOTHING;
}
