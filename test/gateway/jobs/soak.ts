/**
 * Kills workers that poll, and programs next to them, while requests flow, and balances the books.
 *
 *   npm run soak:jobs -- --seed N     another seed each time when not given
 */
import { parseArgs } from "node:util";
import { killPollers, killWorkers } from "./killed-workers.ts";

const { values } = parseArgs({
  options: { seed: { type: "string", default: String(Date.now() % 1_000_000) } },
});
const seed = Number(values.seed);
console.log(`seed ${seed}`);
console.log("20,000 jobs, 200 polls in 10 processes, at most once:");
console.log(JSON.stringify(await killPollers(20_000, 10, 20, seed)));
console.log("10,000 requests, 3 bash workers and a program, at least once:");
console.log(JSON.stringify(await killWorkers(10_000, 60, seed)));
console.log("all in balance");
