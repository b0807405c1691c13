/** The guide of gateways: the program it shows is the one that `test/hub/own-gateway.test.ts` runs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { builtInKinds } from "../../src/gateway/registry.ts";
import { root } from "../house/root.ts";
import { blocksOf, readDocument, tableUnder } from "./markdown.ts";

const guide = readDocument("docs/guides/gateways.md");

test("the gateway that the guide shows is the example, of at most 60 lines", () => {
  const shown = blocksOf(guide).filter(({ mark }) => mark.startsWith("file: "));
  assert.equal(shown.length, 1);
  const [{ mark, text }] = shown as [(typeof shown)[0]];
  assert.equal(`${text}\n`, readFileSync(join(root, mark.slice("file: ".length)), "utf8"));
  assert.ok(text.split("\n").length <= 60);
});

test("the table of gateways has all that come along, with their keys", () => {
  const rows = tableUnder(guide, "## The gateways of a hub").map(([name, key]) => `${name} ${key}`);
  const kinds = builtInKinds.map(({ name, key = name }) => `${name} ${key}`);
  assert.deepEqual(rows.toSorted(), kinds.toSorted());
});
