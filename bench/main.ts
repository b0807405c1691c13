/** `npm run bench`: runs the workloads one after the other and prints what they showed. */
import { writeFileSync } from "node:fs";
import { HELP, readFlags, type Flags } from "./flags.ts";
import { ProcessTree } from "./process.ts";
import {
  describeMachine,
  judge,
  renderGoals,
  renderHeader,
  renderRaw,
  renderWorkload,
  toDocument,
  type Finished,
} from "./report.ts";
import { runRounds } from "./rounds.ts";
import { provideTools } from "./tools.ts";
import { streams } from "./workloads/streams.ts";
import { textFanout, textRequests } from "./workloads/text.ts";
import { natsSettings, w1 } from "./workloads/w1.ts";
import { w2 } from "./workloads/w2.ts";
import { w3 } from "./workloads/w3.ts";
import { w4 } from "./workloads/w4.ts";
import { websocket } from "./workloads/websocket.ts";
import { openEntries, type Workload } from "./workloads/workload.ts";

const ALL: readonly Workload[] = [w1, w2, w3, w4, websocket, textRequests, textFanout, streams, natsSettings];

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

async function runWorkload(
  workload: Workload,
  { plan, without }: Flags,
  tree: ProcessTree,
): Promise<Finished> {
  const progress = (text: string): void => void process.stderr.write(`${workload.name} ${text}\n`);
  progress("starting");
  try {
    const { contenders, leftOut, missing } = await openEntries(workload.entries, without, tree);
    for (const { name, reason } of [...leftOut, ...missing]) progress(`without ${name}: ${reason}`);
    const measurements = await runRounds(
      workload.cases,
      contenders,
      { ...plan, seconds: workload.seconds(plan.seconds) },
      progress,
    );
    for (const { name, reason } of measurements.dropouts) progress(`lost ${name}: ${reason}`);
    return { workload, measurements, leftOut, missing };
  } finally {
    await tree.closeRoles();
  }
}

async function run(flags: Flags, tree: ProcessTree): Promise<number> {
  const style = flags.markdown ? "markdown" : "text";
  const workloads = ALL.filter(({ name }) => flags.only.includes(name));
  const needed = new Set(workloads.flatMap(({ entries }) => entries.flatMap(({ needs }) => needs)));
  provideTools([...needed].filter((tool) => !flags.without.includes(tool)));
  const machine = describeMachine();
  const print = (text: string): void => void process.stdout.write(`${text}\n\n`);
  print(renderHeader(machine, flags.plan));
  const runs: Finished[] = [];
  for (const workload of workloads) {
    const finished = await runWorkload(workload, flags, tree);
    runs.push(finished);
    print(renderWorkload(finished, style));
    if (flags.raw) print(renderRaw(finished, style));
  }
  const judged = judge(runs);
  if (flags.check) print(renderGoals(judged, style));
  if (flags.json !== undefined)
    writeFileSync(flags.json, `${JSON.stringify(toDocument(machine, flags.plan, runs, judged), null, 2)}\n`);
  const lost = runs.flatMap(({ workload, measurements, missing }) =>
    [...missing, ...measurements.dropouts].map(({ name }) => `${name} of ${workload.name}`),
  );
  if (lost.length > 0) process.stderr.write(`bench: not measured: ${lost.join(", ")}; the report says why\n`);
  return lost.length > 0 || (flags.check && judged.some(({ verdict }) => verdict !== "pass")) ? 1 : 0;
}

async function main(): Promise<void> {
  const flags = readFlags(process.argv.slice(2));
  if (flags.help) {
    process.stdout.write(HELP);
    return;
  }
  const tree = new ProcessTree();
  process.once("exit", () => tree.abort());
  for (const [signal, code] of Object.entries(SIGNALS)) process.once(signal, () => process.exit(code));
  process.exitCode = await run(flags, tree);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
