import { plainOf } from "./record.ts";
import { MAX_DEPTH, tooDeep, unwritable } from "./refusal.ts";
import { wellFormed } from "./strict-text.ts";

const MAX_U32 = 0xffff_ffff;
const MIN_I32 = -0x8000_0000;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const MIN_I64 = -0x8000_0000_0000_0000n;

/**
 * A value by JSON's rules, in objects and arrays of its own, without what the library would write wrongly: lone
 * surrogates, invalid dates, bigints past 64 bits. Integers past 32 bits become bigints, since the library writes those
 * as integers and numbers as floats. Undefined for what JSON leaves out.
 */
export function plainMsgpack(value: unknown, key: string, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return wellFormed(value);
    case "number":
      return Number.isSafeInteger(value) && (value > MAX_U32 || value < MIN_I32) ? BigInt(value) : value;
    case "boolean":
      return value;
    case "bigint":
      if (value > MAX_U64 || value < MIN_I64) throw unwritable("msgpack", "a bigint needs more than 64 bits");
      return value;
    case "object":
      return value === null ? null : plainObject(value, key, depth);
    default:
      return undefined;
  }
}

function plainObject(value: object, key: string, depth: number): unknown {
  if (depth >= MAX_DEPTH) throw tooDeep("msgpack");
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw unwritable("msgpack", "a date is invalid");
    return value;
  }
  if (Array.isArray(value)) {
    const { length } = value;
    return Array.from({ length }, (_, index) => plainMsgpack(value[index], String(index), depth + 1));
  }
  const plain = plainOf(value, key);
  if (plain === value || isRecord(plain)) return plainRecord(plain as Record<string, unknown>, depth); // its own toJSON is not asked
  return plainMsgpack(plain, key, depth + 1);
}

function plainRecord(record: Record<string, unknown>, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(record)) {
    const item = plainMsgpack(record[key], key, depth + 1);
    if (item === undefined) continue;
    if (key === "__proto__") throw unwritable("msgpack", "a key is __proto__");
    copy[wellFormed(key)] = item;
  }
  return copy;
}

function isRecord(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return !Array.isArray(value) && !(value instanceof Uint8Array) && !(value instanceof Date);
}
