/** The documents find each other: sections that are linked to exist, and every document is in an index. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import { test } from "node:test";
import { root } from "../house/root.ts";
import { anchorsOf, linksOf, readDocument } from "./markdown.ts";

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => posix.join("docs", name.replaceAll("\\", "/"))),
];

test("links to a section of a document lead to a heading", () => {
  let checked = 0;
  for (const document of documents) {
    for (const { path, anchor } of linksOf(readDocument(document))) {
      const target = path === "" ? document : posix.join(posix.dirname(document), path);
      if (anchor === "" || !target.endsWith(".md")) continue;
      checked++;
      assert.ok(anchorsOf(readDocument(target)).has(anchor), `${document}: ${target} has no #${anchor}`);
    }
  }
  assert.ok(checked > 0, "no link was found");
});

test("every decision record is in the index, under its title", () => {
  const index = readDocument("docs/adr/README.md");
  const records = documents.filter((path) => /^docs\/adr\/\d{4}-/.test(path));
  assert.ok(records.length > 0);
  for (const path of records) {
    const title = /^# (\d{4}) (.*)$/m.exec(readDocument(path));
    assert.ok(title !== null, `${path} must begin with "# NNNN Title"`);
    const [, number, name] = title;
    assert.ok(posix.basename(path).startsWith(`${number}-`), `${path} has the number of another`);
    assert.ok(
      index.includes(`[${number}](${posix.basename(path)}) | ${name} |`),
      `${path} is not in the index`,
    );
  }
});

test("every document in docs is in its index", () => {
  const linked = new Set(linksOf(readDocument("docs/README.md")).map(({ path }) => posix.join("docs", path)));
  const missing = documents.filter(
    (path) => path.startsWith("docs/") && !/^docs\/(adr\/\d|README)/.test(path) && !linked.has(path),
  );
  assert.deepEqual(missing, []);
});

test("source files that a document names are there", () => {
  let checked = 0;
  for (const document of documents) {
    if (document === "CHANGELOG.md" || document.startsWith("docs/adr/")) continue; // what was then
    for (const [, path] of readDocument(document).matchAll(/`((?:[a-z0-9-]+\/)+[a-z0-9-]+\.ts)`/g)) {
      checked++;
      const isThere = existsSync(join(root, path!)) || existsSync(join(root, "src", path!));
      assert.ok(isThere, `${document} names ${path}, which is not there`);
    }
  }
  assert.ok(checked > 50);
});
