/**
 * Runs the whole suite again and again on a machine that is kept busy, and stops at the first run with a failure: a test
 * that passes only on a quiet machine shows itself here.
 *
 *   npm run test:load                           20 runs, with 2 processes beside them that never rest
 *   npm run test:load -- --runs 5 --burners 4   other numbers
 *   npm run test:load -- gateway/http session   only these parts of the suite
 *
 * Prints the time and the machine's load of each run, and all that a run with a failure printed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "20" },
    burners: { type: "string", default: "2" },
  },
});

/**
 * @param {string} flag
 * @param {string} text
 * @returns {number}
 */
function toCount(flag, text) {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 0 && count <= 1_000) return count;
  console.error(`${flag} takes a whole number up to 1000, not "${text}"`);
  process.exit(2);
}

/** @returns {Promise<{ code: number | null, text: string }>} how one run of the suite ended, and what it printed */
async function runSuite() {
  const args = ["--enable-source-maps", join(root, "scripts/test.js"), ...positionals];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part) => (text += part));
  child.stderr.setEncoding("utf8").on("data", (part) => (text += part));
  const [code] = await once(child, "close");
  return { code, text };
}

const runs = toCount("--runs", values.runs);
// Each ends by itself when the channel to this process closes, however this process ends.
const burners = Array.from({ length: toCount("--burners", values.burners) }, () =>
  spawn(
    process.execPath,
    [
      "-e",
      "process.on('disconnect', () => process.exit()); (function burn() { for (let i = 0; i < 1e8; i++); setImmediate(burn); })()",
    ],
    { stdio: ["ignore", "ignore", "inherit", "ipc"] },
  ),
);
console.log(
  `node ${process.version}, ${cpus().length} cores, ${burners.length} busy processes beside the suite`,
);

for (let run = 1; run <= runs; run++) {
  const began = performance.now();
  const { code, text } = await runSuite();
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  const load = loadavg().map((value) => value.toFixed(1));
  const totals = /^\d+ passed, \d+ failed$/m.exec(text)?.[0] ?? "no totals";
  console.log(`run ${run} of ${runs}: ${totals}, ${seconds} s, load ${load.join(" ")}`);
  if (code === 0) continue;
  process.stdout.write(text);
  process.exitCode = 1;
  break;
}
for (const burner of burners) burner.kill();
