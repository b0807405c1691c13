/** Shapes of config values: each checks one node, reports what is wrong with it, and gives the value or undefined. */
import type { MapNode, Node, Report, ScalarNode } from "./document.ts";
import { closest } from "./suggest.ts";
import { DURATION_FORM, SIZE_FORM, parseDuration, parseSize } from "../message/quantity.ts";

/** Undefined means that the node was wrong and has been reported. */
export type Shape<T> = (node: Node, report: Report) => T | undefined;

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Read<F extends Fields> = { -readonly [K in keyof F]?: NonNullable<ReturnType<F[K]>> };

/** Keys that begin so are left to others: anchors, and other programs that read the file. */
const EXTENSION = "x-";

/** A map with these keys and no others; `required` ones must be there. */
export function map<F extends Fields>(
  what: string,
  fields: F,
  required: readonly (keyof F & string)[] = [],
): Shape<Read<F>> {
  return (node, report) => {
    if (node.kind !== "map") {
      report(node, `${what} must be a map with ${listed(Object.keys(fields))}, not ${describe(node)}`);
      return undefined;
    }
    const read: Record<string, unknown> = {};
    for (const { key, value, offset } of node.entries) {
      if (key.startsWith(EXTENSION)) continue;
      const shape = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (shape === undefined) report({ offset }, unknownKey(what, key, Object.keys(fields)));
      else {
        const taken = shape(value, report);
        if (taken !== undefined) read[key] = taken;
      }
    }
    for (const key of required) if (!hasKey(node, key)) report(node, `${what} needs "${key}"`);
    return read as Read<F>; // each key was read by the shape of the same name
  };
}

function hasKey(node: MapNode, key: string): boolean {
  return node.entries.some((entry) => entry.key === key);
}

function unknownKey(what: string, key: string, allowed: readonly string[]): string {
  const meant = closest(key, allowed);
  const hint = meant === undefined ? `allowed: ${allowed.join(", ")}` : `did you mean "${meant}"?`;
  return `${what} has no key "${key}"; ${hint}`;
}

/** A map with any keys, each value of the same shape. */
export function record<T>(what: string, item: Shape<T>): Shape<Record<string, T>> {
  return (node, report) => {
    if (node.kind !== "map") return reject(report, node, what, "a map");
    const entries: [string, T][] = [];
    for (const { key, value } of node.entries) {
      const taken = item(value, report);
      if (taken !== undefined) entries.push([key, taken]);
    }
    return Object.fromEntries(entries);
  };
}

/** A list whose items have one shape. Items that were wrong are left out. */
export function list<T>(what: string, item: Shape<T>): Shape<T[]> {
  return (node, report) => {
    if (node.kind !== "list") return reject(report, node, what, "a list");
    return node.items
      .map((one) => item(one, report))
      .filter((one): one is Awaited<T> & T => one !== undefined);
  };
}

/** A scalar that `parse` turns into a value; `form` says what it takes. */
export function scalar<T>(
  what: string,
  form: string,
  parse: (value: ScalarNode["value"]) => T | undefined,
): Shape<T> {
  return (node, report) => {
    const value = node.kind === "scalar" ? parse(node.value) : undefined;
    return value === undefined ? reject(report, node, what, form) : value;
  };
}

/** Text; `check` throws what is wrong with it. */
export function text(what: string, check?: (value: string) => unknown): Shape<string> {
  return (node, report) => {
    if (node.kind !== "scalar" || typeof node.value !== "string") return reject(report, node, what, "text");
    try {
      check?.(node.value);
    } catch (error) {
      report(node, `${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
    return node.value;
  };
}

/** Text, or another scalar as it is written: `3.10` stays `3.10`. */
export function written(what: string): Shape<string> {
  return (node, report) => {
    if (node.kind === "scalar" && node.value !== null) return node.text;
    return reject(report, node, what, "text, a number, true or false");
  };
}

/** One of a few words. */
export function oneOf<const T extends string>(what: string, words: readonly T[]): Shape<T> {
  return (node, report) => {
    const value = node.kind === "scalar" ? node.value : undefined;
    const word = words.find((one) => one === value);
    if (word !== undefined) return word;
    const meant = typeof value === "string" ? closest(value, words) : undefined;
    return reject(report, node, what, `one of ${words.join(", ")}`, meant);
  };
}

export function boolean(what: string): Shape<boolean> {
  return scalar(what, "true or false", (value) => (typeof value === "boolean" ? value : undefined));
}

/** A whole number within bounds. */
export function integer(what: string, least: number, most: number): Shape<number> {
  const form = `a whole number from ${least} to ${most}`;
  return scalar(what, form, (value) =>
    Number.isInteger(value) ? within(Number(value), least, most) : undefined,
  );
}

/** Milliseconds: a number, or text with a unit. */
export function duration(what: string, most: number): Shape<number> {
  return scalar(what, `${DURATION_FORM}, at most ${most} ms`, (value) =>
    within(isQuantity(value) ? parseDuration(String(value)) : undefined, 1, most),
  );
}

/** Bytes: a number, or text with a unit. */
export function size(what: string, most: number): Shape<number> {
  return scalar(what, `${SIZE_FORM}, at most ${most} bytes`, (value) =>
    within(isQuantity(value) ? parseSize(String(value)) : undefined, 1, most),
  );
}

function isQuantity(value: ScalarNode["value"]): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

function within(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}

function reject(report: Report, node: Node, what: string, form: string, meant?: string): undefined {
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
  report(node, `${what} must be ${form}, not ${describe(node)}${hint}`);
  return undefined;
}

function describe(node: Node): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a map";
  if (node.value === null) return "nothing";
  const shown = JSON.stringify(node.value);
  return shown.length > 60 ? `${shown.slice(0, 60)}..."` : shown;
}

function listed(keys: readonly string[]): string {
  return keys.map((key) => `"${key}"`).join(", ");
}
