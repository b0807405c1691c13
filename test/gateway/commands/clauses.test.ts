import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../house/root.ts";

const page = readFileSync(join(root, "docs/guides/commands.md"), "utf8");
const numbers = [...page.matchAll(/^- \*\*C-(\d+)\*\*/gm)].map(([, number]) => Number(number));

/** Clauses that the files of a folder cite. Rows of them, as in `C-1 to C-4`, do not count. */
function citedIn(folder: string): Set<number> {
  const cited = new Set<number>();
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
    const text = readFileSync(join(root, folder, name), "utf8").replaceAll(/C-\d+ to C-\d+/g, "");
    for (const [, number] of text.matchAll(/\bC-(\d+)\b/g)) cited.add(Number(number));
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

test("every clause is cited by a test", () => {
  const cited = citedIn("test/gateway/commands");
  assert.deepEqual(
    numbers.filter((number) => !cited.has(number)),
    [],
  );
});

test("every clause that the code cites exists", () => {
  for (const number of citedIn("src/gateway/commands")) assert.ok(numbers.includes(number), `C-${number}`);
});
