/**
 * Writes what is derived from the schemas of the configuration: `spec/lintel.schema.json`, and the tables of options in the guides,
 * between `<!-- options of KEY -->` and `<!-- end of options -->`.
 *
 *   node scripts/generate-schema.js [--check]     --check only tells whether something would change
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadSections } from "../dist/config/sections.js";
import { itemOf, mapOf } from "../dist/config/json-schema.js";

/** @typedef {import("../dist/schema/section.js").JsonSchema} JsonSchema */

const root = new URL("..", import.meta.url);
const GUIDES = ["docs/guides/configuration.md", "docs/guides/services.md"];
const sections = await loadSections("/");

/**
 * Without links, as a sentence.
 * @param {string} about
 */
function sentence(about) {
  const plain = about.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  return `${plain.slice(0, 1).toUpperCase()}${plain.slice(1)}${plain.endsWith(".") ? "" : "."}`;
}

/**
 * The schema for editors: without our own hints, and with the keys that are left to others.
 * @param {unknown} schema
 * @returns {unknown}
 */
function published(schema) {
  if (Array.isArray(schema)) return schema.map(published);
  if (typeof schema !== "object" || schema === null) return schema;
  const { lintel, description, $schema: _, ...keywords } = /** @type {JsonSchema} */ (schema);
  const about = [
    ...(description === undefined ? [] : [sentence(description)]),
    ...(lintel?.default === undefined ? [] : [`Default: ${lintel.default.replaceAll("`", "")}.`]),
  ].join(" ");
  const isClosed = keywords.additionalProperties === false;
  return {
    ...(about === "" ? {} : { description: about }),
    ...Object.fromEntries(Object.entries(keywords).map(([name, value]) => [name, published(value)])),
    ...(isClosed ? { patternProperties: { "^x-": {} } } : {}),
  };
}

function schemaFile() {
  const entries = sections.keys.map((key) => [key, sections.schemaOf(key)]);
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "lintel.yaml",
    description: "a hub, and the services that lintel up starts next to it",
    type: "object",
    properties: Object.fromEntries(entries),
    additionalProperties: false,
  };
  const { $schema } = schema;
  return `${JSON.stringify({ $schema, .../** @type {object} */ (published(schema)) }, null, 2)}\n`;
}

/**
 * The schema of `http`, of the items of `listen.*`, of the values of `jobs.services.*`.
 * @param {string} path
 */
function schemaAt(path) {
  const [key = "", ...steps] = path.split(".");
  let schema = sections.schemaOf(key) ?? {};
  for (const step of steps) {
    const map = mapOf(schema);
    const values = map?.additionalProperties;
    if (step !== "*") schema = map?.properties?.[step] ?? {};
    else schema = typeof values === "object" ? values : itemOf(schema);
  }
  return schema;
}

/**
 * @param {JsonSchema} schema
 * @param {string} prefix
 * @returns {string[]}
 */
function rows(schema, prefix = "") {
  const { properties = {}, required = [] } = mapOf(schema) ?? {};
  return Object.entries(properties).flatMap(([key, one]) => {
    const fallback = one.lintel?.default ?? (required.includes(key) ? "required" : "none");
    const row = `| \`${prefix}${key}\` | ${fallback} | ${one.description ?? ""} |`;
    const hasOwnTable = key === "tls"; // it is the same everywhere
    return [
      row,
      ...(mapOf(one)?.additionalProperties === false && !hasOwnTable ? rows(one, `${prefix}${key}.`) : []),
    ];
  });
}

/** @param {string} text */
function withTables(text) {
  return text.replaceAll(
    /(<!-- options of (\S+) -->\n)[^]*?(<!-- end of options -->)/g,
    (_, begin, path, end) =>
      `${begin}\n| key | default | |\n|---|---|---|\n${rows(schemaAt(path)).join("\n")}\n\n${end}`,
  );
}

const files = [
  { name: "spec/lintel.schema.json", change: schemaFile },
  ...GUIDES.map((name) => ({ name, change: withTables })),
];
const isCheck = process.argv.includes("--check");
for (const { name, change } of files) {
  const path = fileURLToPath(new URL(name, root));
  const before = readFileSync(path, "utf8");
  const after = change(before);
  if (after === before) continue;
  if (!isCheck) writeFileSync(path, after);
  else {
    console.error(`${name} is not what the schemas say: run npm run generate:schema`);
    process.exitCode = 1;
  }
}
