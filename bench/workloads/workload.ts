import type { NatsSetting } from "../candidates/nats.ts";
import type { Tool } from "../tools.ts";
import type { Metric } from "../load/sample.ts";
import type { ProcessTree } from "../process.ts";
import type { Case, Contender, Dropout } from "../rounds.ts";

export const WORKLOADS = ["W1", "W2", "W3", "W4", "WS", "TR", "TF", "ST", "NATS"] as const;
export type WorkloadName = (typeof WORKLOADS)[number];

/**
 * The base of W1 to W3: the official client's own `request`, deadline included, at the setting that `--only NATS`
 * shows to be its best.
 */
export const NATS_BEST = "no-mux" satisfies NatsSetting;

/** A table of ratios: one row per case, one column per candidate. */
export interface TableShape {
  readonly title: string;
  readonly metric: Metric;
  readonly columns: readonly Column[];
}

export interface Column {
  readonly candidate: string;
  /** Without one the cells are figures, not ratios. */
  readonly base?: string;
}

export interface Workload {
  readonly name: WorkloadName;
  readonly title: string;
  readonly cases: readonly Case[];
  readonly tables: readonly TableShape[];
  /** The candidates in the order of the tables. */
  readonly entries: readonly Entry[];
  /** Seconds of one measurement, from what the flags ask for. */
  seconds(wanted: number): number;
}

/** How one candidate gets to the start. */
export interface Entry {
  readonly name: string;
  readonly needs: readonly Tool[];
  open(tree: ProcessTree): Promise<Contender["measure"]>;
}

/**
 * Opens all candidates but those that need a tool which is left out. Those that cannot start are named with the reason, and
 * the run goes on without them.
 */
export async function openEntries(
  entries: readonly Entry[],
  without: readonly Tool[],
  tree: ProcessTree,
): Promise<{ contenders: Contender[]; leftOut: Dropout[]; missing: Dropout[] }> {
  const contenders: Contender[] = [];
  const leftOut: Dropout[] = [];
  const missing: Dropout[] = [];
  for (const entry of entries) {
    const unwanted = entry.needs.find((tool) => without.includes(tool));
    if (unwanted !== undefined) {
      leftOut.push({ name: entry.name, reason: `it needs ${unwanted}, which --without leaves out` });
      continue;
    }
    try {
      contenders.push({ name: entry.name, measure: await entry.open(tree) });
    } catch (error) {
      missing.push({ name: entry.name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { contenders, leftOut, missing };
}

/** Columns that share one base. */
export function against(base: string, candidates: readonly string[]): Column[] {
  return candidates.map((candidate) => ({ candidate, base }));
}
