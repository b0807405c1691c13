/** The matrix as people read it: transports and topologies down, codecs across. */
import type { Outcome } from "./cell-run.ts";
import type { CellResult } from "./matrix.ts";
import { isWrong } from "./matrix.ts";

/** Cells that are named where something went wrong. */
const MOST_PLACES = 5;

export type Legend = readonly {
  readonly letter: string;
  readonly reason: string;
  readonly cases: readonly string[];
}[];

export interface MatrixTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the letters in the cells stand for. */
  readonly reasons: Legend;
}

interface Tally {
  passed: number;
  failed: number;
  known: number;
  readonly unsupported: Map<string, number>;
}

/** Draws up the table. A cell says how many cases passed, and what it did not run, by the letter of the reason. */
export function tableOf(results: readonly CellResult[]): MatrixTable {
  const codecs = [...new Set(results.map(({ cell }) => cell.codec.name))];
  const reasons = reasonsOf(results);
  const rows = new Map<string, string[]>();
  for (const result of results) {
    const { transport, topology, codec } = result.cell;
    const key = JSON.stringify([transport.name, topology.name]);
    const row = rows.get(key) ?? [transport.name, topology.name, ...codecs.map(() => "not run")];
    row[2 + codecs.indexOf(codec.name)] = cellText(result, reasons);
    rows.set(key, row);
  }
  return {
    header: ["transport", "topology", ...codecs],
    rows: [...rows.values()],
    reasons: legendOf(reasons),
  };
}

/** What went wrong and where; what went wrong in several cells alike is told once. */
export function failuresOf(results: readonly CellResult[]): string[] {
  const places = new Map<string, string[]>();
  for (const { cell, results: ofCell } of results) {
    for (const { case: name, outcome, known } of ofCell.filter(isWrong)) {
      const why =
        outcome.status === "failed" ? outcome.why : `it passes now, so it is no known failure (${known})`;
      const what = `${name}\n${why}`.replaceAll("\n", "\n    ");
      const where = `${cell.transport.name}, ${cell.topology.name}, ${cell.codec.name}`;
      places.set(what, [...(places.get(what) ?? []), where]);
    }
  }
  return [...places].map(([what, where]) => `${what}\n    in ${placesText(where)}`);
}

function placesText(where: readonly string[]): string {
  const named = where.slice(0, MOST_PLACES).join("; ");
  return where.length <= MOST_PLACES ? named : `${named}; and ${where.length - MOST_PLACES} more`;
}

/** Of a cell of any matrix. */
export interface Results {
  readonly results: readonly {
    readonly case: string;
    readonly outcome: Outcome;
    readonly known: string | undefined;
  }[];
}

export type Reasons = ReadonlyMap<string, { readonly letter: string; readonly cases: Set<string> }>;

/** What could not be, each with a letter of its own. */
export function reasonsOf(results: readonly Results[]): Reasons {
  const reasons = new Map<string, { letter: string; cases: Set<string> }>();
  for (const { case: name, outcome } of results.flatMap((result) => result.results)) {
    if (outcome.status !== "unsupported") continue;
    let entry = reasons.get(outcome.reason);
    if (entry === undefined) {
      entry = { letter: letterOf(reasons.size), cases: new Set() };
      reasons.set(outcome.reason, entry);
    }
    entry.cases.add(name);
  }
  return reasons;
}

export function legendOf(reasons: Reasons): Legend {
  return [...reasons].map(([reason, { letter, cases }]) => ({ letter, reason, cases: [...cases] }));
}

function letterOf(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26));
  return index < 26 ? letter : `${letterOf(Math.floor(index / 26) - 1)}${letter}`;
}

function tallyOf({ results }: Results): Tally {
  const tally: Tally = { passed: 0, failed: 0, known: 0, unsupported: new Map() };
  for (const result of results) {
    const { outcome } = result;
    if (outcome.status === "unsupported")
      tally.unsupported.set(outcome.reason, (tally.unsupported.get(outcome.reason) ?? 0) + 1);
    else if (isWrong(result)) tally.failed++;
    else tally[outcome.status === "passed" ? "passed" : "known"]++;
  }
  return tally;
}

/** How many cases passed, and the letters of what could not be. */
export function cellText(results: Results, reasons: Reasons): string {
  const { passed, failed, known, unsupported } = tallyOf(results);
  const letters = [...unsupported.keys()].map((reason) => reasons.get(reason)!.letter).toSorted();
  const ran = passed + failed + known;
  const words = [failed > 0 ? `FAILED ${failed} of ${ran}` : ran === 0 ? "unsupported" : `${passed} passed`];
  if (known > 0) words.push(`${known} known`);
  return `${words.join(", ")}${letters.length === 0 ? "" : ` [${letters.join(" ")}]`}`;
}
