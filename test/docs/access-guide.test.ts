import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsOfRoles } from "../access/rules.ts";
import { readDocument, tableUnder } from "./markdown.ts";

test("docs/guides/access.md says what the matrix of roles expects", () => {
  const rows = tableUnder(readDocument("docs/guides/access.md"), "## Roles");
  assert.deepEqual(rows, rowsOfRoles());
});
