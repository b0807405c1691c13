/** docs/CONFORMANCE.md has the rows, columns and cases there are. What is in its cells only a run can say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CASES } from "../../src/testing/index.ts";
import { readDocument, tableUnder } from "../docs/markdown.ts";
import { allCells } from "./cells.ts";
import { DOCUMENT, axesOf } from "./document.ts";

const REMEDY = `npm run conformance -- --write makes ${DOCUMENT} anew`;

test("the document has the rows and columns of the matrix", () => {
  const document = readDocument(DOCUMENT);
  const { rows, columns } = axesOf(allCells());
  const found = tableUnder(document, "## Matrix").map(([transport, topology]) => [transport, topology]);
  assert.deepEqual(found, rows, REMEDY);
  assert.ok(document.includes(`| transport | topology | ${columns.join(" | ")} |`), REMEDY);
});

test("the document lists the cases, and no cell failed", () => {
  const document = readDocument(DOCUMENT);
  const listed = document
    .slice(document.indexOf("## Cases\n"), document.indexOf("## Gateways\n"))
    .match(/^- .*$/gm);
  assert.deepEqual(
    listed,
    CASES.map(({ name }) => `- ${name}`),
    REMEDY,
  );
  const cells = tableUnder(document, "## Matrix").flatMap((row) => row.slice(2));
  assert.deepEqual(
    cells.filter((cell) => !/^(?:\d+ passed|unsupported)/.test(cell)),
    [],
    REMEDY,
  );
});
