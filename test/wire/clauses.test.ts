import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FrameType } from "../../src/wire/frame.ts";
import { root } from "../house/root.ts";

const page = readFileSync(join(root, "docs", "PROTOCOL.md"), "utf8");

function citationsIn(folder: string, ending: string): Map<string, string> {
  const cited = new Map<string, string>();
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(ending)) continue;
    const text = readFileSync(join(root, folder, name), "utf8");
    for (const [clause] of text.matchAll(/\bP-\d+\b/g)) cited.set(clause, `${folder}/${name}`);
  }
  return cited;
}

/** Each clause with its text, up to the next clause or chapter, or the end. */
const clauses = new Map(
  [...page.matchAll(/^- \*\*(P-\d+)\*\*([^]*?)(?=^- \*\*P-|^## |(?![^]))/gm)].map(([, clause, text]) => [
    clause!,
    text!,
  ]),
);

test("clauses are numbered once and in order", () => {
  const numbers = [...page.matchAll(/^- \*\*P-(\d+)\*\*/gm)].map(([, number]) => Number(number));
  assert.ok(numbers.length > 50);
  assert.equal(numbers.length, clauses.size);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((a, b) => a - b),
  );
});

const citations = [
  new Map([...page.matchAll(/\bP-\d+\b/g)].map(([clause]) => [clause, "docs/PROTOCOL.md"])),
  citationsIn("src", ".ts"),
  citationsIn("interop", ".py"),
  citationsIn("interop", ".md"),
  citationsIn("spec", ".json"),
  citationsIn("test", ".ts"),
];

test("every clause that is cited exists", () => {
  for (const cited of citations) {
    for (const [clause, where] of cited) assert.ok(clauses.has(clause), `${where} cites ${clause}`);
  }
});

// P-90 binds versions to come: there is nothing to run.
test("every clause that binds is cited by a test or a vector", () => {
  const tested = new Set(citations.slice(-2).flatMap((cited) => [...cited.keys()]));
  const binding = [...clauses].filter(([, text]) => /\bMUST\b/.test(text)).map(([clause]) => clause);
  assert.ok(binding.length > 40);
  assert.deepEqual(
    binding.filter((clause) => !tested.has(clause)),
    [],
  );
});

test("the page's table of frames is the code's", () => {
  const rows = [...page.matchAll(/^\| (\d+) \| ([A-Z]+) \|/gm)].map(([, number, name]) => [
    name!.toLowerCase(),
    Number(number),
  ]);
  assert.deepEqual(Object.fromEntries(rows), { ...FrameType });
});
