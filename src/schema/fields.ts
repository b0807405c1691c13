/**
 * Building blocks for schemas of options, on zod. Messages begin with "must be"; whoever reports them adds what must, and what
 * stands there instead. Loaded only where a file, variables or flags are read.
 */
import { z } from "zod";
import { MAX_TIMEOUT } from "../message/limits.ts";
import { DURATION_FORM, SIZE_FORM, parseDuration, parseSize } from "../message/quantity.ts";
import type { Hints } from "./section.ts";

/** What turns into a `T`. */
export type Field<T> = z.ZodType<T>;

/** A field for each option of an interface: one that is added there has to be added here. */
export type FieldsOf<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

type Required<T> = { [K in keyof T]-?: undefined extends T[K] ? never : K }[keyof T] & string;

const must = (form: string): { readonly error: string } => ({ error: `must be ${form}` });

/** The field with hints added to those it has. */
export function hinted<F extends z.ZodType>(field: F, hints: Hints, keywords: object = {}): F {
  const { lintel, ...rest } = (field.meta() ?? {}) as { readonly lintel?: Hints };
  return field.meta({ ...rest, ...keywords, lintel: { ...lintel, ...hints } }) as F;
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
  keywords: object = {},
): Field<T> {
  const names = Object.keys(fields);
  const needed: ReadonlySet<string> = new Set(required);
  const shape = Object.fromEntries(
    Object.entries<z.ZodType>(fields).map(([key, field]) => [
      key,
      needed.has(key) ? field : keepingHints(z.exactOptional(field), field),
    ]),
  );
  const schema = z.strictObject(shape, must(`a map with ${names.map((name) => `"${name}"`).join(", ")}`));
  return hinted(schema, { title }, keywords) as unknown as Field<T>; // each key has the field of its name
}

/** What wraps a field has the field's words in the JSON Schema. */
function keepingHints(wrapper: z.ZodType, field: z.ZodType): z.ZodType {
  const words = field.meta();
  return words === undefined ? wrapper : wrapper.meta(words);
}

/** A map with any keys that `key` allows. */
export function record<T>(
  field: Field<T>,
  key: z.ZodType<string, string> = z.string(),
): Field<Record<string, T>> {
  return z.record(key, field, must("a map"));
}

export function list<T>(
  field: Field<T>,
  least?: { readonly items: number; readonly message: string },
): Field<T[]> {
  const items = z.array(field, must("a list"));
  return least === undefined ? items : items.min(least.items, sentence(least.message));
}

/** Text. `check` throws what is wrong with it; `keywords` say the same in JSON Schema, as far as that can. */
export function text(check?: (value: string) => unknown, keywords: object = {}): Field<string> {
  const plain = z.string(must("text"));
  const checked =
    check === undefined ? plain : plain.superRefine((value, context) => attempt(context, () => check(value)));
  return checked.meta({ ...keywords });
}

/** Text, or another scalar as it is written: `3.10` stays `3.10`. */
export function written(): Field<string> {
  return z
    .union([z.string(), z.number(), z.boolean()], must("text, a number, true or false"))
    .transform(String);
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): Field<T> {
  return z.enum(words, must(`one of ${words.join(", ")}`)) as Field<T>;
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
  const number = z.number().meta({ exclusiveMinimum: 0, maximum: most });
  return z.union([number, z.string().meta({ pattern })], must(form)).transform((given, context) => {
    const value = parse(String(given));
    if (value !== undefined && value <= most) return value;
    context.addIssue({ code: "custom", message: `must be ${form}` });
    return z.NEVER;
  });
}

/** One of several kinds of values; `form` says which. */
export function either<const F extends readonly [z.ZodType, ...z.ZodType[]]>(
  form: string,
  ...fields: F
): Field<z.output<F[number]>> {
  return z.union(fields, must(form)) as unknown as Field<z.output<F[number]>>; // the output of one of them
}

export function literal<const T extends string | boolean | null>(value: T): Field<T> {
  return z.literal(value) as unknown as Field<T>; // zod's type of it is the same value
}

/** Any value; numbers that JavaScript would change come as `JsonText`. */
export function anyValue(): Field<unknown> {
  return hinted(z.unknown(), { keepsDigits: true });
}

/** Where a check reports what it finds, as whole sentences. */
export interface Findings {
  add(message: string, path?: readonly PropertyKey[]): void;
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
    z.core._check<T>(
      (payload) => {
        const unsound = new Set(payload.issues.map(({ path }) => path?.[0]));
        if (unsound.has(undefined)) return; // it is no such value at all
        const add = (message: string, path: readonly PropertyKey[] = []): void => {
          payload.issues.push({ ...sentenceIssue(message), path: [...path], input: payload.value });
        };
        check(payload.value, { add }, (key) => !unsound.has(key));
      },
      { when: () => true },
    ),
  );
}

/** The field, turned into something else. `turn` throws what is wrong with it. */
export function turned<T, U>(field: Field<T>, turn: (value: T, findings: Findings) => U): Field<U> {
  const words = field.meta() ?? {};
  return field
    .transform((value, context): U => {
      const add = (message: string, path: readonly PropertyKey[] = []): void => {
        context.issues.push({ ...sentenceIssue(message), path: [...path], input: value });
      };
      return turn(value, { add });
    })
    .meta(words);
}

const sentenceIssue = (
  message: string,
): { code: "custom"; message: string; params: { readonly isSentence: boolean } } => ({
  code: "custom",
  message,
  params: { isSentence: true },
});

function sentence(message: string): { readonly error: string } {
  return { error: message };
}

function attempt(context: z.RefinementCtx, action: () => unknown): void {
  try {
    action();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    context.addIssue({ code: "custom", message, params: { isSentence: false } });
  }
}
