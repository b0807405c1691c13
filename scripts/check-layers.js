/**
 * Checks the shape of the source: imports point only downward in the list of layers below, no cycles,
 * short files, no `any`.
 *
 *   node scripts/check-layers.js [FOLDER]     FOLDER is src when not given
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { parseSync } from "oxc-parser";

/** Folders of src, lowest first; those on one line must not import each other. "." is src itself. */
const layers = [
  ["message"],
  ["runtime", "schema"],
  ["collections"],
  ["stream"],
  ["observe"],
  ["wire", "broker", "transport", "codec"],
  ["session"],
  ["engine"],
  ["access"], // it puts a guard in front of an engine
  ["text", "commands"], // protocols of gateways, and their clients
  ["gateway", "peer"],
  ["config"],
  ["hub", "tunnel", "app"],
  ["supervisor"],
  ["cli", "client", "testing", "dashboard", "."],
];
/** Files whose task it is to load programs of other people's. */
const loaders = new Set(["cli/app-file.ts", "config/own-kinds.ts"]);
/** Folders whose subfolders are alternatives, none of which may know another. */
const alternatives = new Set(["engine", "gateway", "transport"]);
const maxLines = 400;
/** Written by a program, from a file that is bound by no such rule. */
const generated = /_pb\.ts$/;
const vagueNames = /^(utils?|helpers?|types)\.ts$/;

/** @typedef {{ path: string, imports: { target: string, line: number }[] }} SourceFile */

/** @type {string[]} */
const violations = [];
const root = resolve(process.argv[2] ?? "src");

/**
 * @param {string} path relative to root, with forward slashes
 * @returns {string} the first folder, or "."
 */
const layerOf = (path) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : ".");

/** @param {string} layer */
const heightOf = (layer) => layers.findIndex((names) => names.includes(layer));

/** @param {string} path */
const alternativeOf = (path) => {
  const [first = "", second = "", third] = path.split("/");
  return alternatives.has(first) && third !== undefined ? `${first}/${second}` : undefined;
};

/**
 * Visits every node of a syntax tree.
 * @param {unknown} node
 * @param {(node: Record<string, any>) => void} visit
 */
function walk(node, visit) {
  if (Array.isArray(node)) for (const item of node) walk(item, visit);
  else if (typeof node === "object" && node !== null) {
    if ("type" in node) visit(node);
    for (const value of Object.values(node)) walk(value, visit);
  }
}

/** @param {Record<string, any>} node @returns {string | undefined} the file or package this node imports */
function specifierOf(node) {
  switch (node["type"]) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return node["source"]?.value;
    default:
      return undefined;
  }
}

/**
 * Reads one file and notes what is wrong with it alone.
 * @param {string} path relative to root
 * @returns {SourceFile}
 */
function readSource(path) {
  const text = readFileSync(join(root, path), "utf8");
  /** @param {number} offset */
  const lineAt = (offset) => text.slice(0, offset).split("\n").length;
  const lines = text.trimEnd().split("\n").length;
  if (lines > maxLines && !generated.test(path))
    violations.push(`${path}: ${lines} lines, at most ${maxLines} are allowed`);
  if (vagueNames.test(basename(path))) violations.push(`${path}: the name does not say what is inside`);
  if (!layers.flat().includes(layerOf(path))) violations.push(`${path}: its folder is in no layer`);
  if (layerOf(path) === "." && path !== "index.ts")
    violations.push(`${path}: only index.ts may be directly in src`);

  const { program, comments, errors } = parseSync(path, text);
  for (const error of errors) violations.push(`${path}: ${error.message}`);
  for (const comment of comments) {
    if (/@ts-(ignore|nocheck)/.test(comment.value))
      violations.push(`${path}:${lineAt(comment.start)}: @ts-ignore`);
  }
  /** @type {SourceFile["imports"]} */
  const imports = [];
  walk(program, (node) => {
    if (node["type"] === "TSAnyKeyword") violations.push(`${path}:${lineAt(node["start"])}: any`);
    const specifier = specifierOf(node);
    if (node["type"] === "ImportExpression" && specifier === undefined && !loaders.has(path)) {
      violations.push(`${path}:${lineAt(node["start"])}: import() of something that is not a plain string`);
    }
    if (!specifier?.startsWith(".")) return;
    const target = relative(root, resolve(root, dirname(path), specifier))
      .split(sep)
      .join("/");
    imports.push({ target, line: lineAt(node["start"]) });
  });
  return { path, imports };
}

/**
 * @param {string} from
 * @param {string} to
 * @returns {string | undefined} why this import is not allowed
 */
function objection(from, to) {
  if (!existsSync(join(root, to))) return "there is no such file";
  const [lower, upper] = [layerOf(to), layerOf(from)];
  if (lower === upper) {
    const [mine, other] = [alternativeOf(from), alternativeOf(to)];
    return mine && other && mine !== other ? `${mine} and ${other} are alternatives` : undefined;
  }
  if (heightOf(lower) === heightOf(upper)) return `${upper} and ${lower} are siblings`;
  return heightOf(lower) > heightOf(upper) ? `${lower} lies above ${upper}` : undefined;
}

/**
 * Notes each cycle of imports once.
 * @param {Map<string, SourceFile>} files
 */
function findCycles(files) {
  const finished = new Set();
  /** @param {string} path @param {string[]} trail */
  const follow = (path, trail) => {
    const start = trail.indexOf(path);
    if (start >= 0) violations.push(`cycle: ${[...trail.slice(start), path].join(" -> ")}`);
    if (start >= 0 || finished.has(path)) return;
    for (const { target } of files.get(path)?.imports ?? []) follow(target, [...trail, path]);
    finished.add(path);
  };
  for (const path of files.keys()) follow(path, []);
}

const paths = existsSync(root)
  ? readdirSync(root, { recursive: true, encoding: "utf8" })
      .map((path) => path.split(sep).join("/"))
      .filter((path) => /\.[cm]?tsx?$/.test(path))
      .toSorted()
  : [];
const files = new Map(paths.map((path) => [path, readSource(path)]));
for (const { path, imports } of files.values()) {
  for (const { target, line } of imports) {
    const reason = objection(path, target);
    if (reason) violations.push(`${path}:${line}: must not import ${target}: ${reason}`);
  }
}
findCycles(files);
if (files.size === 0) violations.push(`no source file found in ${root}`);

for (const violation of violations) console.error(violation);
const imports = [...files.values()].reduce((sum, file) => sum + file.imports.length, 0);
console.log(`layers: ${files.size} files, ${imports} imports, ${violations.length} violations`);
process.exitCode = violations.length === 0 ? 0 : 1;
