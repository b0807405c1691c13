import type { Case, Cell } from "./case.ts";
import { CASES } from "./cases.ts";
import { CellRun, type Outcome } from "./cell-run.ts";
import { JSON_ENTRY } from "./codecs.ts";
import type { CodecEntry, TransportEntry } from "./entries.ts";
import { IN_PROCESS, TOPOLOGIES } from "./topologies.ts";
import type { Topology } from "./topology.ts";

/** A case that is known to fail in some cells, and why. Parts that are left out stand for all. */
export interface KnownFailure {
  readonly case: string;
  readonly transport?: string;
  readonly topology?: string;
  readonly codec?: string;
  readonly why: string;
}

export interface MatrixOptions {
  readonly transports: readonly TransportEntry[];
  /** Default: JSON. */
  readonly codecs?: readonly CodecEntry[];
  /** Default: all that need a transport. */
  readonly topologies?: readonly Topology[];
  readonly knownFailures?: readonly KnownFailure[];
}

export interface CaseResult {
  readonly case: string;
  readonly outcome: Outcome;
  /** Why it is known to fail. One that is known and passes counts as failed. */
  readonly known: string | undefined;
  readonly milliseconds: number;
}

export interface CellResult {
  readonly cell: Cell;
  readonly results: readonly CaseResult[];
  readonly milliseconds: number;
}

/** The cells for these parts, row by row. */
export function cellsOf(options: MatrixOptions): Cell[] {
  const { transports, codecs = [JSON_ENTRY], topologies = TOPOLOGIES } = options;
  return transports.flatMap((transport) =>
    topologies.flatMap((topology) => codecs.map((codec) => ({ transport, topology, codec }))),
  );
}

/** Where nothing travels there is no transport to speak of. */
export const NO_TRANSPORT = "none";

/** The cells in which values are handed over within the process, which need no transport. */
export function inProcessCells(codecs: readonly CodecEntry[]): Cell[] {
  const transport: TransportEntry = {
    name: NO_TRANSPORT,
    transport: {
      scheme: NO_TRANSPORT,
      supports: { inProcess: true, remote: false, encrypted: true, bypasses: false },
      dial: refuse,
      listen: refuse,
    },
    freshUrl: () => `${NO_TRANSPORT}:`,
  };
  return codecs.map((codec) => ({ transport, topology: IN_PROCESS, codec }));
}

function refuse(): Promise<never> {
  return Promise.reject(new Error("in process there is no transport"));
}

/** Runs every case in one cell. */
export async function runCell(cell: Cell, knownFailures: readonly KnownFailure[] = []): Promise<CellResult> {
  const begun = performance.now();
  const results: CaseResult[] = [];
  await using run = new CellRun(cell);
  for (const one of CASES) {
    const known = knownFailures.find((failure) => concerns(failure, one, cell))?.why;
    const started = performance.now();
    const outcome = await run.attempt(one);
    results.push({ case: one.name, outcome, known, milliseconds: performance.now() - started });
  }
  return { cell, results, milliseconds: performance.now() - begun };
}

function concerns(known: KnownFailure, one: Case, { transport, topology, codec }: Cell): boolean {
  const { transport: onTransport, topology: inTopology, codec: withCodec } = known;
  return (
    known.case === one.name &&
    (onTransport ?? transport.name) === transport.name &&
    (inTopology ?? topology.name) === topology.name &&
    (withCodec ?? codec.name) === codec.name
  );
}

/** True for a result that must not be: a failure nobody knows of, or a known one that is none. */
export function isWrong({ outcome, known }: Pick<CaseResult, "outcome" | "known">): boolean {
  return outcome.status === "unsupported" ? false : (outcome.status === "failed") !== (known !== undefined);
}
