import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../house/root.ts";

const page = readFileSync(join(root, "spec/beam.md"), "utf8");
const numbers = [...page.matchAll(/^- \*\*B-(\d+)\*\*/gm)].map(([, number]) => Number(number));

/** Clauses that the files of a folder cite, also as the first and last of a row. */
function citedIn(folder: string, ending: string): Set<number> {
  const cited = new Set<number>();
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(ending)) continue;
    const text = readFileSync(join(root, folder, name), "utf8");
    for (const [, number] of text.matchAll(/\bB-(\d+)\b/g)) cited.add(Number(number));
  }
  return cited;
}

test("clauses are numbered once and in order", () => {
  assert.ok(numbers.length > 40);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((one, other) => one - other),
  );
});

test("every clause that is cited exists, and every clause is cited by a test or a vector", () => {
  const tested = new Set([...citedIn("test", ".test.ts"), ...citedIn("spec/vectors", ".json")]);
  for (const number of [...tested, ...citedIn("src", ".ts")])
    assert.ok(numbers.includes(number), `B-${number}`);
  assert.deepEqual(
    numbers.filter((number) => !tested.has(number)),
    [],
  );
});
