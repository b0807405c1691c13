/** docs/ERRORS.md and src/message/status.ts say the same, and src/ gives no other reasons. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CODES, REASONS, httpStatus, type ReasonRow } from "../../src/message/status.ts";
import { root } from "../house/root.ts";
import { readDocument, tableUnder } from "./markdown.ts";

const document = readDocument("docs/ERRORS.md");
const OTHERS = tableUnder(document, "### Reasons outside the table");

/** Source files but the table itself, without their comments: a reason that is only mentioned is not used. */
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.endsWith("status.ts"))
  .map((name) => readFileSync(join(root, "src", name), "utf8").replaceAll(/\/\*[^]*?\*\//g, ""));

test("the codes are those of the table", () => {
  const expected = Object.entries(CODES).map(([code, row]) =>
    [code, row.wire, row.http, row.close].map(String),
  );
  const found = tableUnder(document, "## Codes").map((row) => row.slice(0, 4));
  assert.deepEqual(found, expected);
});

test("the reasons are those of the table", () => {
  const expected = Object.entries(REASONS).map(([reason, row]: [string, ReasonRow]) => [
    reason,
    row.code,
    String(httpStatus({ code: row.code, reason })),
    row.retryable ? "yes" : "no",
    row.text,
  ]);
  const found = tableUnder(document, "## Reasons");
  assert.deepEqual(
    found.map((row) => row.slice(0, 5)),
    expected,
  );
  for (const row of found)
    assert.ok((row[5] ?? "").length > 20, `${row[0]} lacks when it happens and what to do`);
});

test("every reason of the table is given by something in src/", () => {
  const unused = Object.keys(REASONS).filter(
    (reason) => !sources.some((source) => source.includes(`"${reason}"`)),
  );
  assert.deepEqual(unused, []);
});

test("src/ gives no reason that the document lacks", () => {
  const known = new Set([...Object.keys(REASONS), ...OTHERS.map((row) => row[0])]);
  const found = sources.flatMap((source) =>
    [...source.matchAll(/reason: "([A-Z0-9_]+)"/g)].map(([, reason]) => reason),
  );
  assert.ok(found.length > 0, "the pattern finds nothing any more");
  assert.deepEqual(
    found.filter((reason) => !known.has(reason)),
    [],
  );
});

test("the document lists no reason that nothing gives", () => {
  for (const [reason, code] of OTHERS) {
    assert.ok(!Object.hasOwn(REASONS, reason!), `${reason} is in the table now`);
    assert.ok(Object.hasOwn(CODES, code!), `${reason} has a code that does not exist`);
    const given = sources.some((source) => source.includes(`"${reason}"`)) || reason === code!.toUpperCase();
    assert.ok(given, `nothing in src/ gives ${reason}`);
  }
});
