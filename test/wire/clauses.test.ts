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

const clauses = [...page.matchAll(/^- \*\*(P-\d+)\*\*/gm)].map(([, clause]) => clause!);

test("clauses are numbered once and in order", () => {
  const numbers = clauses.map((clause) => Number(clause.slice(2)));
  assert.ok(numbers.length > 50);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((a, b) => a - b),
  );
});

test("every clause that is cited exists", () => {
  const known = new Set(clauses);
  const mentioned = new Map([...page.matchAll(/\bP-\d+\b/g)].map(([clause]) => [clause, "docs/PROTOCOL.md"]));
  for (const cited of [mentioned, citationsIn("src", ".ts"), citationsIn("spec", ".json")]) {
    for (const [clause, where] of cited) assert.ok(known.has(clause), `${where} cites ${clause}`);
  }
});

test("the page's table of frames is the code's", () => {
  const rows = [...page.matchAll(/^\| (\d+) \| ([A-Z]+) \|/gm)].map(([, number, name]) => [
    name!.toLowerCase(),
    Number(number),
  ]);
  assert.deepEqual(Object.fromEntries(rows), { ...FrameType });
});
