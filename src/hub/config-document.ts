/**
 * A YAML text as a plain tree in which every value knows where it stands, so that a complaint can point at it.
 * This is the only file that knows the YAML library, which is loaded when a config file is read.
 */
import type { Alias, Document, Node as YamlNode, Pair } from "yaml";

/** A place in the file: offset of the first character. */
export interface Place {
  readonly offset: number;
}

export type Node = MapNode | ListNode | ScalarNode;

export interface MapNode extends Place {
  readonly kind: "map";
  readonly entries: readonly Entry[];
}

export interface Entry extends Place {
  readonly key: string;
  readonly value: Node;
}

export interface ListNode extends Place {
  readonly kind: "list";
  readonly items: readonly Node[];
}

export interface ScalarNode extends Place {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
}

/** One thing wrong with a config file. Line and column count from 1. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Takes one complaint about the value at this place. */
export type Report = (place: Place, message: string) => void;

export interface ConfigDocument {
  /** Undefined for a file with nothing in it. */
  readonly root: Node | undefined;
  readonly report: Report;
  /** Everything complained about so far, in order of appearance. */
  problems(): Problem[];
}

/** Deeper nesting is refused: no key of the file needs it, and an alias may contain itself. */
const MAX_DEPTH = 32;
/** More values than this are refused: aliases of aliases multiply. */
const MAX_NODES = 10_000;

/** Reads YAML. Syntax errors become problems of the document; then there is no root. */
export async function parseDocument(text: string): Promise<ConfigDocument> {
  const yaml = await import("yaml");
  const lines = new yaml.LineCounter();
  const found: (Problem & Place)[] = [];
  const report: Report = ({ offset }, message) => {
    const { line, col } = lines.linePos(offset);
    found.push({ offset, line: Math.max(line, 1), column: Math.max(col, 1), message });
  };
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  for (const { offset, message } of syntaxErrors(document, text)) report({ offset }, message);
  let nodes = 0;
  const convert = (node: unknown, offset: number, depth: number): Node => {
    nodes += 1;
    if (depth > MAX_DEPTH || nodes > MAX_NODES) {
      if (nodes <= MAX_NODES) report({ offset }, `nested more than ${MAX_DEPTH} deep`);
      if (nodes === MAX_NODES + 1) report({ offset }, `more than ${MAX_NODES} values`);
      return { kind: "scalar", offset, value: null };
    }
    const target = yaml.isAlias(node) ? resolveAlias(node, document, report) : node;
    const start = yaml.isNode(node) ? startOf(node, offset) : offset;
    if (yaml.isMap(target)) {
      const entries = target.items.map((pair: Pair) => toEntry(pair, start, depth));
      return { kind: "map", offset: start, entries };
    }
    if (yaml.isSeq(target)) {
      return {
        kind: "list",
        offset: start,
        items: target.items.map((item) => convert(item, start, depth + 1)),
      };
    }
    return { kind: "scalar", offset: start, value: yaml.isScalar(target) ? plain(target.value) : null };
  };
  const toEntry = (pair: Pair, offset: number, depth: number): Entry => {
    const start = yaml.isNode(pair.key) ? startOf(pair.key, offset) : offset;
    const key = yaml.isScalar(pair.key) ? String(plain(pair.key.value)) : "(not a name)";
    return { key, offset: start, value: convert(pair.value, start, depth + 1) };
  };
  const empty = document.contents === null || found.length > 0;
  return {
    root: empty ? undefined : convert(document.contents, 0, 0),
    report,
    problems: () => found.toSorted((a, b) => a.offset - b.offset).map(({ offset: _, ...problem }) => problem),
  };
}

function resolveAlias(alias: Alias, document: Document, report: Report): YamlNode | undefined {
  const target = alias.resolve(document);
  if (target === undefined) report({ offset: startOf(alias, 0) }, `there is no anchor &${alias.source}`);
  return target;
}

function startOf(node: YamlNode, otherwise: number): number {
  return node.range?.[0] ?? otherwise;
}

/** Scalars of the core schema; anything a tag might add is read as its text. */
function plain(value: unknown): string | number | boolean | null {
  if (value === null || typeof value === "number" || typeof value === "boolean") return value;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Every repeated key, and of all else the first: what a parser says after that is about its own confusion. */
function syntaxErrors(document: Document, text: string): (Place & { readonly message: string })[] {
  const repeated = document.errors.filter(({ code }) => code === "DUPLICATE_KEY");
  const first = document.errors.find(({ code }) => code !== "DUPLICATE_KEY");
  return [...repeated, ...(first === undefined ? [] : [first])].map(({ message, pos: [offset] }) => {
    const [line = message] = message.split("\n", 1);
    const hint = text[offset] === "{" ? '; text with braces has to be quoted here: "/users/{id}"' : "";
    return { offset, message: `${line}${hint}` };
  });
}

/** The plain value of a node, maps as objects: for keys that take any value. */
export function toValue(node: Node): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toValue);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, toValue(value)]));
}
