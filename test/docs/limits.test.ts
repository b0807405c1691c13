import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { readDocument, tableUnder } from "./markdown.ts";

test("docs/ARCHITECTURE.md lists every limit with its default", () => {
  const rows = tableUnder(readDocument("docs/ARCHITECTURE.md"), "### Limits that can be set");
  const found = rows.map(([name, value = ""]) => [name, Number(value.replaceAll(",", ""))]);
  assert.deepEqual(found, Object.entries(DEFAULT_LIMITS));
});
