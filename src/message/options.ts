/** What options of the API must be. A wrong one is refused where it is given, in words that say what to write. */
import { LintelError } from "./failure.ts";
import { MAX_TIMEOUT } from "./limits.ts";
import { DURATION_FORM, SIZE_FORM, parseDuration, parseSize, type Duration, type Size } from "./quantity.ts";

/** What a value must be, if this is not it. */
export type Check = (value: unknown) => string | undefined;

const must =
  (wanted: string, isRight: (value: unknown) => boolean): Check =>
  (value) =>
    isRight(value) ? undefined : wanted;

export const aFunction: Check = must("a function", (value) => typeof value === "function");

export const text: Check = must("a string", (value) => typeof value === "string");

export const milliseconds: Check = must(
  "a number of milliseconds, 0 or more",
  (value) => typeof value === "number" && value >= 0,
);

/** Signals of other libraries have the same members. */
export const signal: Check = must("an AbortSignal", (value) => {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  return typeof aborted === "boolean" && typeof addEventListener === "function";
});

export const list: Check = must("a list", (value) => Array.isArray(value));

/** An object with options of its own, such as this. */
export function object(example: string): Check {
  return must(
    `an object such as ${example}`,
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  );
}

/** Null is as good as nothing. */
export function orNull(check: Check): Check {
  return (value) => (value === null ? undefined : check(value));
}

/** An address, which a listener checks, or what the check wants. */
export function orAddress(check: Check): Check {
  return (value) => (typeof value === "string" || typeof value === "number" ? undefined : check(value));
}

/** One of these values, or what the check wants. */
export function orOneOf(values: readonly unknown[], check: Check): Check {
  return (value) => {
    const wanted = values.includes(value) ? undefined : check(value);
    return wanted === undefined ? undefined : `${values.map(String).join(" or ")} or ${wanted}`;
  };
}

/**
 * Checks the options of a call, those that are there. Throws `invalid_argument` for what is none of its kind; options
 * that have no check are none of its business.
 */
export function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null)
    throw wrong(call, "its options are", options, "an object of names and values");
  for (const name of Object.keys(checks)) {
    const value = (options as Record<string, unknown>)[name];
    const wanted = value === undefined ? undefined : checks[name]!(value);
    if (wanted !== undefined) throw wrong(call, `${name} is`, value, wanted);
  }
}

/** Checks one argument. Throws likewise. */
export function checkArgument(call: string, name: string, value: unknown, check: Check): void {
  const wanted = check(value);
  if (wanted !== undefined) throw wrong(call, `${name} is`, value, wanted);
}

function wrong(call: string, what: string, value: unknown, wanted: string): LintelError {
  return new LintelError("invalid_argument", `${call}: ${what} ${shown(value)}, it must be ${wanted}`);
}

/** A whole number within bounds. Throws `invalid_argument`; `option` says which, such as `http option port`. */
export function wholeNumber(option: string, value: number, least: number, most: number): number {
  return within(option, value, value, least, most);
}

/** The milliseconds of a time, likewise. */
export function millisecondsOf(
  option: string,
  value: Duration,
  least = 1,
  most: number = MAX_TIMEOUT,
): number {
  const ms = typeof value === "string" ? parseDuration(value) : value;
  return within(option, value, ms, least, most, ` (milliseconds), or ${DURATION_FORM}`);
}

/** The bytes of a size, likewise. */
export function bytesOf(option: string, value: Size, least: number, most: number): number {
  const bytes = typeof value === "string" ? parseSize(value) : value;
  return within(option, value, bytes, least, most, ` (bytes), or ${SIZE_FORM}`);
}

function within(
  option: string,
  given: unknown,
  value: number | undefined,
  least: number,
  most: number,
  form = "",
): number {
  if (value !== undefined && Number.isInteger(value) && value >= least && value <= most) return value;
  const wanted = `a whole number from ${least} to ${most}${form}`;
  throw new LintelError("invalid_argument", `${option} is ${shown(given)}, it must be ${wanted}`);
}

/** Names of options as they were before: `timeoutMs` for `timeout`. */
export type OldNames<Name extends string> = {
  /** @deprecated Leave the `Ms` out; a number means milliseconds. */
  readonly [K in Name as `${K}Ms`]?: number;
};

/**
 * The milliseconds of a time among these options, by its name or by the name of before. Where both are given the name of now
 * counts. Throws likewise; `of` stands before the name, such as `http option `.
 */
export function timeOption<Name extends string>(
  of: string,
  options: { readonly [K in Name]?: Duration | undefined } & OldNames<Name>,
  name: Name,
  otherwise: number,
  least?: number,
): number {
  const old = (options as Readonly<Record<string, number | undefined>>)[`${name}Ms`];
  const given: Duration | undefined = options[name];
  if (given === undefined && old !== undefined) return millisecondsOf(`${of}${name}Ms`, old, least);
  return millisecondsOf(`${of}${name}`, given ?? otherwise, least);
}

/** A value in a text for people. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}...` : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "object" || value === null) return String(value);
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === "function" && constructor !== Object ? `a ${constructor.name}` : "an object";
}
