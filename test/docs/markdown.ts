/** The little of Markdown that the tests of the documents need: marked blocks, tables, headings, links. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../house/root.ts";

/** The text of a document, by its path in the checkout. */
export function readDocument(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** A fenced block. */
export interface Block {
  readonly language: string;
  /** What the comment before it says: `<!-- example: greet -->` gives `example: greet`. Empty without one. */
  readonly mark: string;
  readonly text: string;
  /** Line of its fence, from 1. */
  readonly line: number;
}

const COMMENT = /^<!-- (.*) -->$/;
const FENCE = /^```(\w*)$/;

/** The fenced blocks of a document, in order. */
export function blocksOf(document: string): Block[] {
  const lines = document.split("\n");
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; index++) {
    const fence = FENCE.exec(lines[index]!);
    if (fence === null) continue;
    const end = lines.indexOf("```", index + 1);
    if (end < 0) throw new SyntaxError(`the block that begins in line ${index + 1} has no end`);
    const before = lines[index - 1] === "" ? lines[index - 2] : lines[index - 1];
    const mark = COMMENT.exec(before ?? "")?.[1] ?? "";
    blocks.push({ language: fence[1]!, mark, text: lines.slice(index + 1, end).join("\n"), line: index + 1 });
    index = end;
  }
  return blocks;
}

/** The rows of the table that follows a heading, without its head; backticks are taken off. */
export function tableUnder(document: string, heading: string): string[][] {
  const lines = document.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) throw new SyntaxError(`there is no heading "${heading}"`);
  const first = lines.findIndex((line, index) => index > start && line.startsWith("|"));
  if (first < 0) throw new SyntaxError(`there is no table under "${heading}"`);
  const rows: string[][] = [];
  for (const line of lines.slice(first + 2)) {
    if (!line.startsWith("|")) break;
    const cells = line.slice(1, -1).split("|");
    rows.push(cells.map((cell) => cell.trim().replaceAll("`", "")));
  }
  return rows;
}

/** A link to somewhere in the checkout. */
export interface Link {
  readonly path: string;
  readonly anchor: string;
}

const LINK = /\]\((?!https?:|mailto:)([^()\s#]*)(?:#([^()\s]*))?\)/g;

/** The relative links of a document, those in blocks left out. */
export function linksOf(document: string): Link[] {
  return [...prose(document).matchAll(LINK)].map(([, path = "", anchor = ""]) => ({ path, anchor }));
}

/** What can be linked to in a document: its headings as GitHub names them. */
export function anchorsOf(document: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, title = ""] of prose(document).matchAll(/^#{1,6} (.*)$/gm)) {
    const plain = title.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const base = plain.replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
    let anchor = base;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${base}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

function prose(document: string): string {
  return document.replaceAll(/^```[^]*?^```$/gm, "");
}
