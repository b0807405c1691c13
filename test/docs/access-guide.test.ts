import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createAccess } from "../../src/access/create-access.ts";
import { parseConfig } from "../../src/config/config.ts";
import { rowsOfRoles } from "../access/rules.ts";
import { root } from "../house/root.ts";
import { blocksOf, readDocument, tableUnder } from "./markdown.ts";

const guide = readDocument("docs/guides/access.md");

test("docs/guides/access.md says what the matrix of roles expects", () => {
  assert.deepEqual(tableUnder(guide, "## Roles"), rowsOfRoles());
});

test("each configuration in docs/guides/access.md is legal", async () => {
  const blocks = blocksOf(guide).filter(({ language }) => language === "yaml");
  assert.ok(blocks.length > 5);
  for (const { text, line } of blocks) {
    // Where the certificates of examples are.
    const { access } = await parseConfig(text, join(root, "test/certificates", `line ${line}`));
    assert.ok(access !== undefined, `line ${line}`);
    await createAccess(access);
  }
});
