/**
 * Building blocks for schemas of options, on zod. Messages begin with "must be"; the code that reports them adds what must, and what
 * stands there instead. Loaded only where a file, variables or flags are read.
 */
import { z } from "zod";
import { MAX_TIMEOUT } from "../message/limits.ts";
import { checkPattern } from "../message/subject.ts";
import { DURATION_FORM, SIZE_FORM, parseDuration, parseSize } from "../message/quantity.ts";
import type { Hints } from "./section.ts";

/** What turns into a `T`. */
export type Field<T> = z.ZodType<T>;

/** A field for each option of an interface: one that is added there has to be added here. */
export type FieldsOf<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

/** Keywords of JSON Schema. */
type Keywords = Readonly<Record<string, unknown>>;

type Required<T> = { [K in keyof T]-?: undefined extends T[K] ? never : K }[keyof T] & string;

/** A check that may also run when there are issues. */
const { _check: checkOf } = z.core;

const must = (form: string): { readonly error: string } => ({ error: `must be ${form}` });

/** The field with hints added to those it has. */
export function hinted<F extends z.ZodType>(field: F, hints: Hints, keywords: Keywords = {}): F {
  const { lintel, ...rest } = (field.meta() ?? {}) as { readonly lintel?: Hints };
  return field.meta({ ...rest, ...keywords, lintel: { ...lintel, ...hints } });
}

/** The field with what the reference says of it. `fallback` is its default, as text. */
export function option<F extends z.ZodType>(about: string, field: F, fallback?: string): F {
  return hinted(field, fallback === undefined ? {} : { default: fallback }, { description: about });
}

/** A map with these keys and no others. `title` is what messages call it. */
export function map<T extends object>(
  title: string,
  fields: FieldsOf<T>,
  required: readonly Required<T>[] = [],
  keywords: Keywords & { readonly lintel?: Hints } = {},
): Field<T> {
  const { lintel, ...others } = keywords;
  const names = Object.keys(fields);
  const needed: ReadonlySet<string> = new Set(required);
  const shape = Object.fromEntries(
    Object.entries<z.ZodType>(fields).map(([key, field]) => [
      key,
      needed.has(key) ? field : keepingHints(z.exactOptional(field), field),
    ]),
  );
  const schema = z.strictObject(shape, must(`a map with ${names.map((name) => `"${name}"`).join(", ")}`));
  return hinted(schema, { title, ...lintel }, others) as unknown as Field<T>; // each key has the field of its name
}

/** What wraps a field has the field's words in the JSON Schema. */
function keepingHints(wrapper: z.ZodType, field: z.ZodType): z.ZodType {
  const words = field.meta();
  return words === undefined ? wrapper : wrapper.meta(words);
}

/** A map with any keys. `keys` are what JSON Schema says of them. */
export function record<T>(field: Field<T>, keys: Keywords = {}): Field<Record<string, T>> {
  return z.record(z.string().meta(keys), field, must("a map"));
}

export function list<T>(field: Field<T>): Field<T[]> {
  return z.array(field, must("a list"));
}

/** Text. `check` throws what is wrong with it; `keywords` say the same in JSON Schema, as far as that can. */
export function text(check?: (value: string) => unknown, keywords: Keywords = {}): Field<string> {
  const plain = z.string(must("text"));
  const field =
    check === undefined ? plain : plain.superRefine((value, context) => attempt(context, () => check(value)));
  return field.meta({ ...keywords });
}

const PATTERN = "^(?:>|(?:\\*|[A-Za-z0-9_-]+)(?:\\.(?:\\*|[A-Za-z0-9_-]+))*(?:\\.>)?)$";

/** A pattern of subjects, such as `orders.>`. */
export function subjectPattern(): Field<string> {
  return text(checkPattern, { maxLength: 255, pattern: PATTERN });
}

/** Text of this form. */
export function textLike(form: string, pattern: RegExp): Field<string> {
  return z.string(must(form)).regex(pattern, must(form));
}

/** Text, or another scalar as it is written: `3.10` stays `3.10`. */
export function written(): Field<string> {
  return z
    .union([z.string(), z.number(), z.boolean()], must("text, a number, true or false"))
    .transform(String);
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): Field<T> {
  return z.enum(words, must(`one of ${words.join(", ")}`));
}

export function boolean(): Field<boolean> {
  return z.boolean(must("true or false"));
}

export function integer(least: number, most: number): Field<number> {
  const form = must(`a whole number from ${least} to ${most}`);
  return z.int(form).min(least, form).max(most, form);
}

const DURATION = "^\\s*\\d{1,15}(?:\\.\\d{1,9})? ?(?:[mM][sS]|[sS]|[mM]|[hH])?\\s*$";
const SIZE = "^\\s*\\d{1,15}(?:\\.\\d{1,9})? ?(?:[kKmMgG][iI]?)?[bB]?\\s*$";

/** Milliseconds: a number, or text with a unit. */
export function duration(most: number = MAX_TIMEOUT): Field<number> {
  return quantity(DURATION, `${DURATION_FORM}, at most ${most} ms`, parseDuration, most);
}

/** Bytes: a number, or text with a unit. */
export function size(most: number): Field<number> {
  return quantity(SIZE, `${SIZE_FORM}, at most ${most} bytes`, parseSize, most);
}

function quantity(
  pattern: string,
  form: string,
  parse: (text: string) => number | undefined,
  most: number,
): Field<number> {
  const bounds = { type: "number", exclusiveMinimum: 0, maximum: most };
  return scalar(form, bounds, { type: "string", pattern }, (given) => {
    const value = parse(String(given));
    return value !== undefined && value <= most ? value : undefined;
  });
}

/**
 * A number or text that is parsed; `form` says what it must be. The keywords are what JSON Schema says of numbers and of texts.
 */
export function scalar<T>(
  form: string,
  numbers: Keywords,
  texts: Keywords,
  parse: (given: string | number) => T | undefined,
): Field<T> {
  return z
    .union([z.number().meta(numbers), z.string().meta(texts)], must(form))
    .transform((given, { issues }): T => {
      const value = parse(given);
      if (value !== undefined) return value;
      issues.push({ code: "custom", message: `must be ${form}`, input: given });
      return z.NEVER;
    });
}

/** One of several kinds of values; `form` says which. */
export function either<const F extends readonly [z.ZodType, ...z.ZodType[]]>(
  form: string,
  ...fields: F
): Field<z.output<F[number]>> {
  return z.union(fields, must(form));
}

export function literal<const T extends string | boolean | null>(value: T): Field<T> {
  return z.literal(value);
}

/** Any value; numbers that JavaScript would change come as `JsonText`. */
export function anyValue(): Field<unknown> {
  return hinted(z.unknown(), { keepsDigits: true });
}

/** Where a check reports what it finds, as whole sentences. */
export interface Findings {
  /** With `isAboutKey` the complaint is about the last key of the path, else about its value. */
  add(message: string, path?: readonly PropertyKey[], isAboutKey?: boolean): void;
}

/**
 * The field with a check of the whole value. It also runs when parts of the value are wrong: then `isSound` tells it which items
 * or keys are not.
 */
export function checked<T>(
  field: Field<T>,
  check: (value: T, findings: Findings, isSound: (key: PropertyKey) => boolean) => void,
): Field<T> {
  return field.check(
    checkOf<T>(
      ({ issues, value }) => {
        const unsound = new Set(issues.map(({ path }) => path?.[0]));
        if (unsound.has(undefined)) return; // it is no such value at all
        check(value, findingsIn(issues, value), (key) => !unsound.has(key));
      },
      { when: () => true },
    ),
  );
}

/** The field, turned into something else. `turn` says what is wrong with it in place of a result. */
export function turned<T, U>(
  field: Field<T>,
  turn: (value: T, findings: Findings) => U | undefined,
): Field<U> {
  const words = field.meta() ?? {};
  return field
    .transform((value, { issues }): U => turn(value, findingsIn(issues, value)) ?? z.NEVER)
    .meta(words);
}

function findingsIn(issues: z.core.$ZodRawIssue[], input: unknown): Findings {
  return {
    add: (message, path = [], isAboutKey = false) => {
      issues.push({
        code: "custom",
        message,
        path: [...path],
        input,
        params: { isSentence: true, isAboutKey },
      });
    },
  };
}

function attempt(context: z.RefinementCtx, action: () => unknown): void {
  try {
    action();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    context.addIssue({ code: "custom", message, params: { isSentence: false } });
  }
}
