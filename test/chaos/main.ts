/**
 * Faults that a seed chooses, while requests flow by HTTP, sessions and polls; then the ledgers of callers, hub and workers
 * are joined. A seed repeats the faults and their order; what they hit depends on the machine.
 *
 *   npm run chaos -- --seed N                one run
 *   npm run chaos -- --seed N --seeds M      M runs, with the seeds from N on
 */
import { parseArgs } from "node:util";
import { run } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    seeds: { type: "string", default: "1" },
    faults: { type: "string", default: "8" },
    verbose: { type: "boolean", default: false },
  },
});
const [first, seeds, faults] = [whole("seed"), whole("seeds"), whole("faults")];
const broken: number[] = [];
const totals = { calls: 0, faults: 0 };
for (let seed = first; seed < first + seeds; seed++) {
  const report = await run(seed, faults);
  const { violations, ...facts } = report;
  console.log(values.verbose ? JSON.stringify(facts) : brief(report));
  for (const violation of violations) console.log(`  violation: ${violation}`);
  if (violations.length > 0) broken.push(seed);
  totals.calls += report.calls;
  totals.faults += faults;
}
console.log(`${seeds} runs, ${totals.faults} faults, ${totals.calls} requests: ${verdict()}`);
process.exitCode = broken.length > 0 ? 1 : 0;

function verdict(): string {
  return broken.length === 0
    ? "each has exactly one outcome, and the ledgers agree"
    : `the ledgers disagree for the seeds ${broken.join(", ")}`;
}

function brief({ seed, calls, outcomes, healthMs, faults: names }: Awaited<ReturnType<typeof run>>): string {
  const failed = Object.entries(outcomes).filter(([outcome]) => outcome !== "answered");
  const rest = failed.map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  return `seed ${seed}: ${calls} requests, ${outcomes["answered"] ?? 0} answered${rest && `, ${rest}`}; slowest own answer ${healthMs} ms; ${names.join(", ")}`;
}

function whole(name: "seed" | "seeds" | "faults"): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 0)
    throw new TypeError(`--${name} is ${values[name]}; it must be a whole number`);
  return value;
}
