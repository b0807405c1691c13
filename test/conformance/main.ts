/** `npm run conformance`: runs the suite over everything there is and prints the matrix. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  failuresOf,
  gatewayFailuresOf,
  gatewayTablesOf,
  isWrong,
  tableOf,
  type CellResult,
  type MatrixTable,
  type Outcome,
} from "../../src/testing/index.ts";
import { root } from "../house/root.ts";
import { chooseCells } from "./cells.ts";
import { DOCUMENT, gatewaysOf, withGateways, writeDocument } from "./document.ts";
import { HELP, readFlags, type Flags } from "./flags.ts";
import { writeGateways } from "./gateways/document.ts";
import { runGatewayMatrix } from "./gateways/matrix.ts";
import { KNOWN_FAILURES } from "./parts.ts";
import { runInProcesses } from "./processes.ts";

async function main(): Promise<number> {
  const flags = readFlags(process.argv.slice(2));
  if (flags.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const wrong = flags.gateways ? 0 : await transports(flags);
  const isPart = flags.only.length > 0 || flags.topology !== "";
  return wrong + (isPart ? 0 : await gateways(flags)) === 0 ? 0 : 1;
}

/** Returns how much went wrong. */
async function transports(flags: Flags): Promise<number> {
  const cells = chooseCells(flags.only, flags.topology);
  const begun = performance.now();
  const results = await runInProcesses(cells, flags.processes, (result, done) => {
    process.stderr.write(progress(result, done, cells.length));
  });
  const table = tableOf(results);
  const failures = failuresOf(results);
  process.stdout.write(`\n${render(table)}\n`);
  for (const failure of failures) process.stdout.write(`\nFAILED ${failure}\n`);
  process.stdout.write(`\n${summary(results, performance.now() - begun)}\n`);
  write(flags, results, failures.length === 0 ? table : undefined);
  return failures.length;
}

/** The same for the matrix of gateways. */
async function gateways({ write: document }: Flags): Promise<number> {
  const begun = performance.now();
  const { results, across, drivers } = await runGatewayMatrix();
  const tables = gatewayTablesOf(results);
  const failures = gatewayFailuresOf(results);
  for (const { where, results: more } of across)
    failures.push(...gatewayFailuresOf(more).map((failure) => `${where}: ${failure}`));
  for (const { header, rows } of tables.tables)
    process.stdout.write(`\n${render({ header, rows, reasons: [] })}\n`);
  process.stdout.write(`\n${render({ header: [], rows: [], reasons: tables.reasons }).trimStart()}\n`);
  for (const failure of failures) process.stdout.write(`\nFAILED ${failure}\n`);
  const all = [...results, ...across.flatMap(({ results: more }) => more)];
  process.stdout.write(`\n${summary(all, performance.now() - begun)}\n`);
  if (document && failures.length === 0) {
    const path = join(root, DOCUMENT);
    writeFileSync(path, withGateways(readFileSync(path, "utf8"), writeGateways(tables, drivers)));
  }
  return failures.length;
}

function progress({ cell, results, milliseconds }: CellResult, done: number, of: number): string {
  const wrong = results.filter(isWrong).length;
  const name = `${cell.transport.name}, ${cell.topology.name}, ${cell.codec.name}`;
  const outcome = wrong === 0 ? "passed" : `FAILED ${wrong}`;
  return `${String(done).padStart(String(of).length)}/${of} ${name}: ${outcome} (${Math.round(milliseconds)} ms)\n`;
}

function render({ header, rows, reasons }: MatrixTable): string {
  const lines = [header, ...rows];
  const widths = header.map((_title, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)));
  const drawn = lines.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  "));
  const legend = reasons.map(({ letter, reason, cases }) => `[${letter}] ${reason}: ${cases.length} cases`);
  return [...drawn.map((line) => line.trimEnd()), ...(legend.length === 0 ? [] : ["", ...legend])].join("\n");
}

function summary(
  results: readonly { readonly results: readonly { readonly outcome: Outcome }[] }[],
  milliseconds: number,
): string {
  const all = results.flatMap((result) => result.results);
  const count = (status: string): number => all.filter(({ outcome }) => outcome.status === status).length;
  const seconds = (milliseconds / 1_000).toFixed(1);
  return `${results.length} cells: ${count("passed")} passed, ${count("failed")} failed, ${count("unsupported")} unsupported, in ${seconds} s on Node ${process.versions.node}`;
}

/** The document is left as it is when something failed: it says what holds. */
function write(
  { json, write: document }: Flags,
  results: readonly CellResult[],
  table: MatrixTable | undefined,
): void {
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results.map(plain), null, 2)}\n`);
  if (!document || table === undefined) return;
  const path = join(root, DOCUMENT);
  const old = readFileSync(path, "utf8");
  writeFileSync(path, withGateways(writeDocument(table, KNOWN_FAILURES), gatewaysOf(old)));
}

function plain({ cell, results, milliseconds }: CellResult): unknown {
  return {
    transport: cell.transport.name,
    topology: cell.topology.name,
    codec: cell.codec.name,
    milliseconds: Math.round(milliseconds),
    cases: results.map(({ case: name, outcome, known, milliseconds: took }) => ({
      case: name,
      milliseconds: Math.round(took),
      ...outcome,
      ...(known === undefined ? {} : { known }),
    })),
  };
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`conformance: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
