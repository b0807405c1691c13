/**
 * JSON whose numbers keep their value. A number of JavaScript holds some 17 digits; what it would change comes as a `bigint`
 * (integers) or as a `JsonNumber`, and is written again with the digits that it came with.
 */
import { LintelError } from "../message/failure.ts";
import { JsonText } from "./json-text.ts";
import { MAX_DEPTH, tooDeep, unwritable } from "./refusal.ts";

/** A number that no number of JavaScript equals. Arithmetic with it takes the nearest one that JavaScript has. */
export class JsonNumber extends JsonText {
  override valueOf(): number {
    return Number(this.text);
  }

  override toString(): string {
    return this.text;
  }

  /** For `JSON.stringify`, which has no other way to write it. */
  toJSON(): number {
    return Number(this.text);
  }
}

/** Only a text with one of these can have a number that changes. */
const SUSPECT = /[0-9.]{16}|[0-9][eE]/;
/** Integers of more digits come as `JsonNumber`: making a bigint of very long ones would keep the process busy. */
const MAX_BIGINT_DIGITS = 100;
const INTEGER = /^-?[0-9]+$/;
const NUMBER_END = /[^-+.eE0-9]/g;
const STRING_STEP = /["\\]/g;

/** Reads JSON. Throws a SyntaxError, as `JSON.parse` does. The text must not be nested deeper than `MAX_DEPTH`. */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return SUSPECT.test(text) ? new ExactReader(text).value() : value;
}

/** Reads a text that is known to be JSON. */
class ExactReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    this.#skipSpace();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      case "t":
        return this.#literal("true", true);
      case "f":
        return this.#literal("false", false);
      case "n":
        return this.#literal("null", null);
      default:
        return this.#number();
    }
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    while (this.#hasNext("}")) {
      const name = this.#string();
      this.#skipSpace();
      this.#at++; // the colon
      const value = this.value();
      if (name === "__proto__")
        // A plain assignment would change the prototype.
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
      else object[name] = value;
    }
    return object;
  }

  #array(): unknown[] {
    const items: unknown[] = [];
    while (this.#hasNext("]")) items.push(this.value());
    return items;
  }

  /** Moves past the opening bracket or the comma, or past the end. */
  #hasNext(end: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== end) {
      this.#at++;
      this.#skipSpace();
    }
    if (this.#text[this.#at] !== end) return true;
    this.#at++;
    return false;
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    for (;;) {
      STRING_STEP.lastIndex = end;
      STRING_STEP.test(this.#text);
      end = STRING_STEP.lastIndex;
      if (this.#text[end - 1] === '"') break;
      end++; // what the backslash escapes
    }
    this.#at = end;
    return JSON.parse(this.#text.slice(start, end)) as string; // it is a string in quotes
  }

  #literal<T>(word: string, value: T): T {
    this.#at += word.length;
    return value;
  }

  #number(): unknown {
    NUMBER_END.lastIndex = this.#at;
    const end = NUMBER_END.test(this.#text) ? NUMBER_END.lastIndex - 1 : this.#text.length;
    const digits = this.#text.slice(this.#at, end);
    this.#at = end;
    return exactNumber(digits);
  }

  #skipSpace(): void {
    while (this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
  }
}

function exactNumber(text: string): unknown {
  const number = Number(text);
  if (Number.isFinite(number) && magnitude(text) === magnitude(String(number))) return number;
  return text.length <= MAX_BIGINT_DIGITS && INTEGER.test(text) ? BigInt(text) : new JsonNumber(text);
}

/** The same text for the same value, whatever its sign and however it is written: significant digits and their exponent. */
function magnitude(text: string): string {
  const [mantissa = "", exponent = "0"] = text.replace("-", text.startsWith("-") ? "" : "-").split(/[eE]/);
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  if (end === 0) return "0";
  return `${digits.slice(0, end)}e${Number(exponent) - fraction.length + (digits.length - end)}`;
}

/**
 * Writes a value as JSON, undefined for what JSON does not have. A `bigint` becomes its digits, a `JsonText` its text. Throws
 * `BAD_PAYLOAD` for a value that contains itself or is nested deeper than `MAX_DEPTH`, and for what a `toJSON` or getter throws.
 */
export function stringifyExactJson(value: unknown): string | undefined {
  try {
    return hasExact(value, 0) ? written(value, "", 0) : JSON.stringify(value);
  } catch (error) {
    if (error instanceof LintelError) throw error;
    throw unwritable("JSON", error instanceof Error ? error.message : String(error), error);
  }
}

/** True for a value that `JSON.stringify` would change or refuse. */
function hasExact(value: unknown, depth: number): boolean {
  if (typeof value === "bigint") return true;
  if (typeof value !== "object" || value === null) return false;
  if (depth >= MAX_DEPTH) throw tooDeep("JSON");
  if (value instanceof JsonText) return true;
  if (Array.isArray(value)) return value.some((item) => hasExact(item, depth + 1));
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === "function") return true;
  for (const name of Object.keys(value)) {
    if (hasExact((value as Readonly<Record<string, unknown>>)[name], depth + 1)) return true;
  }
  return false;
}

function written(value: unknown, key: string, depth: number): string | undefined {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (value instanceof JsonText) return value.text;
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === "function") return withoutToJson(toJSON.call(value, key), depth);
  return contents(value, depth);
}

/** What `toJSON` has returned is not asked again. */
function withoutToJson(value: unknown, depth: number): string | undefined {
  const isPlain = typeof value === "object" && value !== null && !(value instanceof JsonText);
  return isPlain ? contents(value, depth) : written(value, "", depth);
}

function contents(value: object, depth: number): string {
  if (depth >= MAX_DEPTH) throw tooDeep("JSON");
  if (Array.isArray(value))
    return `[${value.map((item, index) => written(item, String(index), depth + 1) ?? "null").join(",")}]`;
  if (value instanceof Number || value instanceof String || value instanceof Boolean)
    return JSON.stringify(value);
  const fields: string[] = [];
  for (const [name, item] of Object.entries(value)) {
    const text = written(item, name, depth + 1);
    if (text !== undefined) fields.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${fields.join(",")}}`;
}
