/**
 * Passes descriptors to receivers that are killed at random, as often as asked, and counts what is open afterwards.
 *
 *   npm run soak:descriptors -- --passes N     10,000 when not given
 */
import { parseArgs } from "node:util";
import { checkReport, passAndKill } from "./killed-receivers.ts";

const { values } = parseArgs({
  options: { passes: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
});
for (const hub of ["apart", "own"] as const) {
  const started = performance.now();
  const report = await passAndKill({
    passes: Number(values.passes),
    passesPerKill: 60,
    receivers: 4,
    seed: Number(values.seed),
    hub,
  });
  const seconds = Math.round((performance.now() - started) / 1_000);
  console.log(JSON.stringify({ hub, seconds, ...report }));
  checkReport(report);
}
console.log("nothing was leaked");
