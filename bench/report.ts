/** Turns measurements into text and into a JSON document. Summaries are ratios; absolute figures only where asked for. */
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { GOALS, isMet, type Goal } from "./goals.ts";
import type { Case, Dropout, Measurements, Plan, Spread } from "./rounds.ts";
import { renderTable, type Style } from "./table.ts";
import { natsServerVersion } from "./tools.ts";
import type { TableShape, Workload, WorkloadName } from "./workloads/workload.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** Cores this run may use: fewer when it is pinned. */
  readonly usable: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly natsServer: string;
  readonly date: string;
}

/** One workload after its rounds. */
export interface Finished {
  readonly workload: Workload;
  readonly measurements: Measurements;
  /** Candidates that were not wanted. */
  readonly leftOut: readonly Dropout[];
  /** Candidates that could not start. */
  readonly missing: readonly Dropout[];
}

export type Verdict = "pass" | "MISS" | "not measured";

export interface Judged {
  readonly goal: Goal;
  readonly ratio: number | undefined;
  readonly verdict: Verdict;
}

export function describeMachine(): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? "unknown",
    cores: cores.length,
    usable: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    natsServer: natsServerVersion(),
    date: new Date().toISOString().slice(0, 10),
  };
}

export function renderHeader(machine: Machine, plan: Plan): string {
  return [
    `${machine.cpu}, ${machine.usable} of ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}; ` +
      `Node ${machine.node}, nats-server ${machine.natsServer}; ${machine.date}`,
    `Method: client, hub and worker are processes of their own on loopback or unix sockets. ${plan.rounds} rounds; in each round all ` +
      `candidates run one after the other for ${plan.seconds} s per case (at least 1 s by wrk), and ratios are taken within the round. ` +
      "Cells are: median (least to most).",
  ].join("\n\n");
}

export function renderWorkload(finished: Finished, style: Style): string {
  const { workload, measurements, leftOut, missing } = finished;
  const parts = [heading(`${workload.name}: ${workload.title}`, style)];
  for (const shape of workload.tables) parts.push(renderRatios(workload, measurements, shape, style));
  const out = [...leftOut, ...missing, ...measurements.dropouts].map(
    ({ name, reason }) => `- ${name} was not measured: ${reason}`,
  );
  if (out.length > 0) parts.push(out.join("\n"));
  return parts.join("\n\n");
}

function heading(text: string, style: Style): string {
  return style === "markdown" ? `### ${text}` : `== ${text}`;
}

function renderRatios(
  workload: Workload,
  measurements: Measurements,
  shape: TableShape,
  style: Style,
): string {
  const bases = new Set(shape.columns.map((column) => column.base));
  const titles = shape.columns.map(({ candidate, base }) =>
    base !== undefined && bases.size > 1 ? `${candidate} / ${base}` : candidate,
  );
  const rows = workload.cases.flatMap((test) => {
    const cells = shape.columns.map(({ candidate, base }) =>
      measurements.compare(test, candidate, base, shape.metric),
    );
    // Only some cases have single latencies; a table about them leaves the others out.
    if (shape.metric === "p50" && cells.every((cell) => cell === undefined)) return [];
    return [[test.name, ...cells.map(formatSpread)]];
  });
  return `${shape.title}\n\n${renderTable(["", ...titles], rows, style)}`;
}

function formatSpread(spread: Spread | undefined): string {
  if (spread === undefined) return "-";
  return `${formatRatio(spread.median)} (${formatRatio(spread.min)} to ${formatRatio(spread.max)})`;
}

function formatRatio(ratio: number): string {
  return ratio >= 9.95 ? ratio.toFixed(1) : ratio.toFixed(2);
}

/** Medians of absolute figures. They say something about this machine today and nothing else. */
export function renderRaw(finished: Finished, style: Style): string {
  const { workload, measurements } = finished;
  const names = workload.entries.map((entry) => entry.name);
  const rows = workload.cases.map((test) => [
    test.name,
    ...names.map((name) => formatRaw(measurements, test, name)),
  ]);
  return `${workload.name} absolute, per second (median time of one where they ran one at a time)\n\n${renderTable(["", ...names], rows, style)}`;
}

function formatRaw(measurements: Measurements, test: Case, name: string): string {
  const samples = measurements.samples(test, name);
  const middle = Object.values(samples).toSorted((one, other) => one.rate - other.rate)[samples.length >> 1];
  if (middle === undefined) return "-";
  const latency = middle.p50 === undefined ? "" : ` (${middle.p50.toFixed(0)} us)`;
  return `${Math.round(middle.rate)}${latency}`;
}

/** The goals of the workloads that ran. */
export function judge(runs: readonly Finished[]): Judged[] {
  return GOALS.flatMap((goal) => {
    const run = runs.find(({ workload }) => workload.name === goal.workload);
    const test = run?.workload.cases.find(({ name }) => name === goal.test);
    if (run === undefined || test === undefined) return [];
    const ratio = run.measurements.compare(test, goal.candidate, goal.base, goal.metric)?.median;
    const verdict: Verdict = ratio === undefined ? "not measured" : isMet(goal, ratio) ? "pass" : "MISS";
    return [{ goal, ratio, verdict }];
  });
}

export function renderGoals(judged: readonly Judged[], style: Style): string {
  const rows = judged.map(({ goal, ratio, verdict }) => [
    `${goal.workload} ${goal.test}`,
    `${goal.candidate}${goal.base === undefined ? "" : ` / ${goal.base}`}, ${goal.metric}`,
    goal.atLeast === undefined ? `at most ${goal.atMost}` : `at least ${goal.atLeast}`,
    ratio === undefined ? "-" : formatRatio(ratio),
    verdict,
  ]);
  return `${heading("First goals", style)}\n\n${renderTable(["", "ratio", "goal", "measured", ""], rows, style)}`;
}

/** Everything that was measured, for programs that compare runs. */
export function toDocument(
  machine: Machine,
  plan: Plan,
  runs: readonly Finished[],
  judged: readonly Judged[],
): unknown {
  return {
    machine,
    plan,
    goals: judged,
    workloads: Object.fromEntries(
      runs.map((run): [WorkloadName, unknown] => [run.workload.name, documentOf(run)]),
    ),
  };
}

function documentOf({ workload, measurements, leftOut, missing }: Finished): unknown {
  return {
    notMeasured: [...leftOut, ...missing, ...measurements.dropouts],
    tables: workload.tables.map((shape) => ({
      title: shape.title,
      metric: shape.metric,
      ratios: workload.cases.flatMap((test) =>
        shape.columns.map(({ candidate, base }) => ({
          case: test.name,
          candidate,
          base,
          ...measurements.compare(test, candidate, base, shape.metric),
        })),
      ),
    })),
    samples: workload.cases.flatMap((test) =>
      workload.entries.map(({ name }) => ({
        case: test.name,
        candidate: name,
        rounds: measurements.samples(test, name),
      })),
    ),
  };
}
