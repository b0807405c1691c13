/**
 * Nodes of the config file as the plain values that a schema checks. Where the schema takes any scalar the value is its text as it
 * is written, so that `3.10` keeps its digits; text without a type, which came from variables, gets that of the schema.
 */
import { resolve } from "node:path";
import { JsonText } from "../codec/json-text.ts";
import type { Hints, JsonSchema } from "../schema/section.ts";
import type { MapNode, Node, Report, ScalarNode } from "./document.ts";
import { accepts, entryOf, hintsOf, isOpen, itemOf, mapOf, takesAnyScalar } from "./json-schema.ts";
import { SubstitutionError, substitute, type Environment } from "./substitute.ts";
import { closest } from "./suggest.ts";

/** Texts where a path may be: PEM itself, an output of the process, and nothing. */
const NO_FILE = /-----BEGIN|^(?:-|off)$/;

/** Keys that begin so are left to others: anchors, and other programs that read the file. */
export const EXTENSION = "x-";

export class ValueReader {
  readonly #report: Report;
  /** Where relative paths lead from. */
  readonly #directory: string;
  readonly #environment: Environment;
  /** Scalars whose variables have been replaced. */
  readonly #scalars = new Map<Node, ScalarNode>();
  readonly #failed = new Set<Node>();

  constructor(report: Report, directory: string, environment: Environment) {
    this.#report = report;
    this.#directory = directory;
    this.#environment = environment;
  }

  /** True for a node that has been complained about: its value says nothing. */
  hasFailed(node: Node): boolean {
    return this.#failed.has(node);
  }

  /** A value in a message. */
  describe(node: Node): string {
    if (node.kind === "list") return "a list";
    if (node.kind === "map") return "a map";
    const { value } = this.#scalars.get(node) ?? node;
    if (value === null) return "nothing";
    const shown = JSON.stringify(value);
    return shown.length > 60 ? `${shown.slice(0, 60)}..."` : shown;
  }

  /** `what` is what messages call it. Keys that there are not are reported and left out. */
  value(node: Node, schema: JsonSchema, what: string): unknown {
    const hints = hintsOf(schema, node.kind === "map");
    if (hints.keepsDigits === true) return this.#anyValue(node);
    if (node.kind === "map") return this.#map(node, schema, titled(hints, what));
    if (node.kind === "list") return node.items.map((item) => this.value(item, itemOf(schema), what));
    return this.#scalar(node, schema, hints);
  }

  #map(node: MapNode, schema: JsonSchema, what: string): unknown {
    const map = mapOf(schema);
    const entries: [string, unknown][] = [];
    for (const { key, value, ...place } of node.entries) {
      if (key.startsWith(EXTENSION) && map?.additionalProperties === false) continue;
      const field = entryOf(map, key);
      if (field === undefined) this.#report(place, unknownKey(what, key, Object.keys(map?.properties ?? {})));
      else entries.push([key, this.value(value, field, key)]);
    }
    return Object.fromEntries(entries);
  }

  #scalar(node: ScalarNode, schema: JsonSchema, { isPath, isShellText }: Hints): unknown {
    const scalar = isShellText === true ? node : this.#replaced(node);
    const value = typedValue(scalar, schema);
    const isFile = isPath === true && typeof value === "string" && !NO_FILE.test(value);
    return isFile && node.source === undefined ? resolve(this.#directory, value) : value;
  }

  /** The scalar with the values of its variables. */
  #replaced(node: ScalarNode): ScalarNode {
    const known = this.#scalars.get(node);
    if (known !== undefined) return known;
    let replaced = node;
    if (node.source === undefined && node.text.includes("${")) {
      try {
        const text = substitute(node.text, this.#environment);
        replaced = { ...node, value: text, text, isUntyped: text !== node.text };
      } catch (error) {
        if (!(error instanceof SubstitutionError)) throw error;
        this.#failed.add(node);
        this.#report({ offset: node.offset + error.index + (node.isQuoted === true ? 1 : 0) }, error.message);
      }
    }
    this.#scalars.set(node, replaced);
    return replaced;
  }

  /** What the value is to a program, if its text is the same then; else the text itself. */
  #anyValue(node: Node): unknown {
    const inFile = this.#jsonOf(node);
    const value: unknown = JSON.parse(inFile);
    return JSON.stringify(value) === inFile ? value : new JsonText(inFile);
  }

  /** Numbers have the digits of the file; those that JSON writes in another way, such as 0755 and 0x1F, are text. */
  #jsonOf(node: Node): string {
    if (node.kind === "list") return `[${node.items.map((item) => this.#jsonOf(item)).join(",")}]`;
    if (node.kind === "map") {
      const entries = node.entries.map(({ key, value }) => `${JSON.stringify(key)}:${this.#jsonOf(value)}`);
      return `{${entries.join(",")}}`;
    }
    const scalar = this.#replaced(node);
    const { text } = scalar;
    const value = scalar.isUntyped === true && scalar.isQuoted !== true ? plainValue(text) : scalar.value;
    if (typeof value !== "number") return JSON.stringify(value);
    return JSON_NUMBER.test(text) ? text : JSON.stringify(text);
  }
}

/** What messages call a value. */
export function titled({ title }: Hints, key: string): string {
  return title === undefined ? key : title.replace("*", () => key);
}

/** What is wrong with a key that a map may not have. */
export function unknownKey(what: string, key: string, allowed: readonly string[]): string {
  const meant = closest(key, allowed);
  const hint = meant === undefined ? `allowed: ${allowed.join(", ")}` : `did you mean "${meant}"?`;
  return `${what} has no key "${key}"; ${hint}`;
}

/** A number as JSON writes it. */
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const NUMBER = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;
const YES = /^(true|yes|on)$/i;
const NO = /^(false|no|off)$/i;

function typedValue({ value, text, isUntyped }: ScalarNode, schema: JsonSchema): unknown {
  const isWritten = takesAnyScalar(schema);
  if (isUntyped !== true) return isWritten && value !== null ? text : value;
  if (isWritten) return text;
  if (isOpen(schema)) return plainValue(text);
  if (accepts(schema, "boolean")) {
    if (YES.test(text) && accepts(schema, "boolean", true)) return true;
    if (NO.test(text)) return false;
  }
  const isNumber = NUMBER.test(text) && accepts(schema, "number") && !accepts(schema, "string");
  return isNumber ? Number(text) : text;
}

/** What YAML makes of unquoted text. */
function plainValue(text: string): string | number | boolean | null {
  if (NUMBER.test(text)) return Number(text);
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  return /^(null|Null|NULL|~|)$/.test(text) ? null : text;
}
