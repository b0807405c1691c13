/** The contract of engines, its guide and its suite name the same duties. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../house/root.ts";
import { readDocument, tableUnder } from "./markdown.ts";

const contract = readFileSync(join(root, "src/engine/engine.ts"), "utf8");
const document = readDocument("docs/guides/engines.md");
const listed = tableUnder(document, "## The contract").map(([number]) => number);

test("the guide lists the duties of the contract, in its order", () => {
  const stated = [...contract.matchAll(/\* (E-\d+)(?: \(`supports\.\w+`\))?:/g)].map(([, number]) => number);
  assert.ok(stated.length > 30, "the pattern finds nothing any more");
  assert.deepEqual(
    stated,
    stated.map((_, index) => `E-${index + 1}`),
  );
  assert.deepEqual(listed, stated);
});

test("the suite has a test for each duty", () => {
  const folder = join(root, "src/testing/engine");
  const names = readdirSync(folder).flatMap((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/"((?:E-\d+(?:, )?)+): /g)].map(
      ([, numbers]) => numbers,
    ),
  );
  const tested = new Set(names.join(", ").split(", "));
  assert.deepEqual(
    listed.filter((number) => !tested.has(number!)),
    [],
  );
});

test("the guide says what each engine supports", () => {
  const [, manifest = ""] = /interface EngineSupports \{([^}]*)\}/.exec(contract) ?? [];
  const members = [...manifest.matchAll(/readonly (\w+):/g)].map(([, name]) => name);
  const rows = tableUnder(document, "## What an engine supports");
  assert.deepEqual(
    rows.map(([name]) => name),
    members,
  );
});
