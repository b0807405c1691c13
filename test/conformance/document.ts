/** docs/CONFORMANCE.md, made of what a run has shown. */
import { CASES, type Cell, type KnownFailure, type MatrixTable } from "../../src/testing/index.ts";
import { HEADING } from "./gateways/document.ts";
import { table } from "./table.ts";

export const DOCUMENT = "docs/CONFORMANCE.md";

const INTRODUCTION = `# Conformance

The same program behaves the same over every transport, in every codec, in every topology. One suite says so: it
is exported from \`lintel/testing\`, runs over real hubs and connections, and this page is what it last printed
(\`npm run conformance -- --write\`). To run it over a part of your own, see [testing](guides/testing.md).

What a case needs is asked of the \`supports\` manifests of the transport, the codec and the topology. A letter in
brackets says that cases did not run in a cell, and [why](#not-supported). [Gateways](#gateways) have a matrix of their own.
`;

/** The part about gateways, if there is one. */
export function gatewaysOf(document: string): string {
  const begin = document.indexOf(HEADING);
  return begin < 0 ? "" : document.slice(begin);
}

/** The document with another part about gateways, which is its last. */
export function withGateways(document: string, gateways: string): string {
  const end = document.indexOf(HEADING);
  return `${end < 0 ? `${document}\n` : document.slice(0, end)}${gateways}`;
}

/** The cells of one row, each by its column: what a document that is not stale has. */
export function axesOf(cells: readonly Cell[]): { rows: string[][]; columns: string[] } {
  const rows = new Map<string, string[]>();
  for (const { transport, topology } of cells)
    rows.set(JSON.stringify([transport.name, topology.name]), [transport.name, topology.name]);
  return { rows: [...rows.values()], columns: [...new Set(cells.map(({ codec }) => codec.name))] };
}

export function writeDocument(
  { header, rows, reasons }: MatrixTable,
  known: readonly KnownFailure[],
): string {
  const parts = [
    INTRODUCTION,
    "## Matrix\n",
    table(header, rows),
    "## Not supported\n",
    table(
      ["", "reason", "cases"],
      reasons.map(({ letter, reason, cases }) => [letter, reason, cases.join("; ")]),
    ),
    "## Known failures\n",
    known.length === 0 ? "None.\n" : table(["case", "where", "why"], known.map(knownRow)),
    "## Cases\n",
    `${CASES.map(({ name }) => `- ${name}`).join("\n")}\n`,
  ];
  return parts.join("\n");
}

function knownRow({
  case: name,
  transport = "any",
  topology = "any",
  codec = "any",
  why,
}: KnownFailure): string[] {
  return [name, [transport, topology, codec].join(", "), why];
}
