/**
 * A YAML text as a plain tree in which every value knows where it stands, so that a complaint can point at it.
 * This is the only file that knows the YAML library, which is loaded when a config file is read.
 */
import type { Alias, Document, Node as YamlNode, Pair, Scalar, visit as Visit } from "yaml";

/** A place in the file: offset of the first character. */
export interface Place {
  readonly offset: number;
  /** What stands here in place of the file: a variable of the environment, or a flag. */
  readonly source?: string | undefined;
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
  /** The text of the value: as it is written in the file for whatever is not text by itself, such as 3.10 or 0755. */
  readonly text: string;
  /** Text without a type: the schema of the option says what it is. */
  readonly isUntyped?: boolean;
  readonly isQuoted?: boolean;
}

/** One thing wrong with the configuration. Line and column count from 1; what is not in the file has its source instead. */
export interface Problem {
  readonly line?: number;
  readonly column?: number;
  readonly source?: string;
  readonly message: string;
  /** What the value must be, where the message says so. */
  readonly form?: string;
}

/** Takes one complaint about the value at this place. */
export type Report = (place: Place, message: string, form?: string) => void;

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

/**
 * Reads YAML. Syntax errors become problems of the document; then there is no root. `source` is where it is from, if no file. More
 * values than `most` are refused.
 */
export async function parseDocument(
  text: string,
  source?: string,
  most: number = MAX_NODES,
): Promise<ConfigDocument> {
  const yaml = await import("yaml");
  const lines = new yaml.LineCounter();
  const found: (Problem & Place)[] = [];
  const report: Report = ({ offset, source: origin = source }, message, form) => {
    const { line, col } = lines.linePos(offset);
    const place =
      origin === undefined ? { line: Math.max(line, 1), column: Math.max(col, 1) } : { source: origin };
    found.push({ offset, ...place, message, ...(form === undefined ? {} : { form }) });
  };
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  for (const { offset, message } of syntaxErrors(document, text)) report({ offset }, message);
  const targets = targetsOf(document, yaml.visit);
  const resolved = (alias: Alias): YamlNode | undefined => {
    const target = targets.get(alias);
    if (target === undefined) report({ offset: startOf(alias, 0) }, `there is no anchor &${alias.source}`);
    return target;
  };
  const isMergeKey = (key: unknown): key is Scalar =>
    yaml.isScalar(key) && key.type === "PLAIN" && key.source === "<<";
  let nodes = 0;
  const convert = (node: unknown, offset: number, depth: number): Node => {
    nodes += 1;
    if (depth > MAX_DEPTH || nodes > most) {
      if (nodes <= most) report({ offset }, `nested more than ${MAX_DEPTH} deep`);
      if (nodes === most + 1) report({ offset }, `more than ${most} values`);
      return { kind: "scalar", offset, source, value: null, text: "" };
    }
    const target = yaml.isAlias(node) ? resolved(node) : node;
    const start = yaml.isNode(node) ? startOf(node, offset) : offset;
    if (yaml.isMap(target)) {
      const merged: Node[] = [];
      const entries: Entry[] = [];
      for (const pair of target.items) {
        if (isMergeKey(pair.key)) merged.push(convert(pair.value, startOf(pair.key, start), depth + 1));
        else entries.push(toEntry(pair, start, depth));
      }
      return { kind: "map", offset: start, source, entries: merge(entries, merged, report) };
    }
    if (yaml.isSeq(target)) {
      return {
        kind: "list",
        offset: start,
        source,
        items: target.items.map((item) => convert(item, start, depth + 1)),
      };
    }
    return { kind: "scalar", offset: start, source, ...valueOf(yaml.isScalar(target) ? target : undefined) };
  };
  const toEntry = (pair: Pair, offset: number, depth: number): Entry => {
    const start = yaml.isNode(pair.key) ? startOf(pair.key, offset) : offset;
    const key = yaml.isScalar(pair.key) ? valueOf(pair.key).text : "(not a name)";
    return { key, offset: start, source, value: convert(pair.value, start, depth + 1) };
  };
  const empty = document.contents === null || found.length > 0;
  return {
    root: empty ? undefined : convert(document.contents, 0, 0),
    report,
    problems: () => {
      // What stands in a map that is merged in several places is read, and complained about, as often.
      const once = new Map(
        found.map((problem) => [`${problem.source} ${problem.offset} ${problem.message}`, problem]),
      );
      return [...once.values()]
        .toSorted((a, b) => (a.source ?? "").localeCompare(b.source ?? "") || a.offset - b.offset)
        .map(({ offset: _, ...problem }) => problem);
    },
  };
}

/** What each alias stands for: the last node before it that has its anchor. Found in one pass, as there may be many. */
function targetsOf(document: Document, visit: typeof Visit): Map<Alias, YamlNode> {
  const anchors = new Map<string, YamlNode>();
  const targets = new Map<Alias, YamlNode>();
  visit(document, {
    Value: (_key, node) => {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
    Alias: (_key, alias) => {
      const target = anchors.get(alias.source);
      if (target !== undefined) targets.set(alias, target);
    },
  });
  return targets;
}

/** The entries of a map and, for keys that it has not itself, those of the maps that it merges: the first has it. */
function merge(own: readonly Entry[], merged: readonly Node[], report: Report): readonly Entry[] {
  if (merged.length === 0) return own;
  const all = new Map(own.map((entry) => [entry.key, entry]));
  for (const source of merged.flatMap((node) => (node.kind === "list" ? node.items : [node]))) {
    if (source.kind === "map") {
      for (const entry of source.entries) if (!all.has(entry.key)) all.set(entry.key, entry);
    } else report(source, "<< takes a map or a list of maps, such as *base");
  }
  return [...all.values()];
}

function startOf(node: YamlNode, otherwise: number): number {
  return node.range?.[0] ?? otherwise;
}

/** Scalars of the core schema; anything a tag might add is read as its text. */
function valueOf(scalar: Scalar | undefined): Pick<ScalarNode, "value" | "text" | "isQuoted"> {
  const { value = null, source = "", type } = scalar ?? {};
  if (typeof value === "string") return { value, text: value, isQuoted: type !== "PLAIN" };
  const isPlain = value === null || typeof value === "number" || typeof value === "boolean";
  return { value: isPlain ? value : source, text: source };
}

const SECOND_DOCUMENT =
  'a second document begins here; a config file has one: put what follows into it, or leave out the "---"';

/** Every repeated key, and of all else the first: what a parser says after that is about its own confusion. */
function syntaxErrors(document: Document, text: string): (Place & { readonly message: string })[] {
  const repeated = document.errors.filter(({ code }) => code === "DUPLICATE_KEY");
  const first = document.errors.find(({ code }) => code !== "DUPLICATE_KEY");
  return [...repeated, ...(first === undefined ? [] : [first])].map(({ code, message, pos: [offset] }) => {
    if (code === "MULTIPLE_DOCS") return { offset, message: SECOND_DOCUMENT };
    const [line = message] = message.split("\n", 1);
    const hint = text[offset] === "{" ? '; text with braces has to be quoted here: "/users/{id}"' : "";
    return { offset, message: `${line}${hint}` };
  });
}
