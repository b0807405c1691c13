import { LintelError } from "../message/failure.ts";
import { readUtf8 } from "../message/text.ts";
import type { Codec } from "./codec.ts";

/** A value that JSON cannot carry at all: undefined, a function, a symbol. */
const NOTHING = Symbol("no JSON");

export const json: Codec = {
  name: "json",
  contentType: "application/json",

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
    const copy = copyJson(value, "");
    return copy === NOTHING ? null : copy;
  },
};

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw LintelError.of("BAD_PAYLOAD", `the value cannot be written as JSON: ${(error as Error).message}`, error);
  }
}

/** How deep `transfer` follows a value by itself before it leaves it to JSON, which reports cycles. */
const MAX_DEPTH = 64;

function copyJson(value: unknown, key: string, depth = 0): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? (value === 0 ? 0 : value) : null; // JSON has no NaN, no infinities and no -0
    case "object":
      return value === null ? null : copyObject(value, key, depth);
    case "bigint":
      return parseBack(value); // a TypeError, unless somebody gave BigInt a toJSON
    default:
      return NOTHING;
  }
}

function copyObject(value: object, key: string, depth: number): unknown {
  if (depth > MAX_DEPTH) return parseBack(value);
  if ("toJSON" in value && typeof value.toJSON === "function") return copyJson(value.toJSON(key), key, depth + 1);
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    for (let index = 0; index < value.length; index++) {
      const item = copyJson(value[index], String(index), depth + 1);
      copy.push(item === NOTHING ? null : item);
    }
    return copy;
  }
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return parseBack(value);
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const item = copyJson((value as Record<string, unknown>)[name], name, depth + 1);
    if (item === NOTHING) continue;
    if (name === "__proto__") {
      Object.defineProperty(copy, name, { value: item, enumerable: true, configurable: true, writable: true });
    } else {
      copy[name] = item;
    }
  }
  return copy;
}

function parseBack(value: unknown): unknown {
  const text = stringify(value);
  return text === undefined ? NOTHING : JSON.parse(text);
}
