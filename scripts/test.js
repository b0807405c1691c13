/**
 * Runs the tests, which must have been compiled into build, on the Node that runs this script.
 *
 *   node scripts/test.js             every test file
 *   node scripts/test.js wire hub    the files whose path contains "wire" or "hub"
 *
 * Fails when no test file is found or no test ran. The last line printed is "N passed, N failed".
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const patterns = process.argv.slice(2);

// Node 24 applies the limit to each test; 20 and 22 know only a limit for a whole file.
const limit = Number(process.versions.node.split(".")[0]) >= 24 ? 60_000 : 180_000;
// A file that leaves a timer or a socket open keeps its process alive: the run as a whole is bounded too.
const wholeRun = 8 * 60_000;

/** @returns {string[]} paths of the compiled files of the tests that match the patterns, in a stable order */
function testFiles() {
  // The sources are listed, since build may still hold tests that are gone.
  return readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => join("test", path))
    .filter((path) => patterns.length === 0 || patterns.some((part) => path.includes(part)))
    .map((path) => join(root, "build", path.replace(/\.ts$/, ".js")))
    .toSorted();
}

const files = testFiles();
if (files.length === 0) {
  console.error(`no test file found${patterns.length > 0 ? ` for: ${patterns.join(" ")}` : ""}`);
  process.exit(1);
}
console.log(`node ${process.version}, ${files.length} test files`);

const totals = { passed: 0, failed: 0, skipped: 0 };
const unfinished = new Set(files);
const stop = AbortSignal.timeout(wholeRun);
stop.addEventListener("abort", () => {
  console.error(`stopped after ${wholeRun / 60_000} minutes; silent so far: ${[...unfinished].join(", ")}`);
});

const events = run({ files, concurrency: 2, timeout: limit, signal: stop });
events.on("test:start", (event) => unfinished.delete(event.file ?? event.name));
events.on("test:pass", (event) => {
  if (event.details.type === "suite") return;
  if (event.skip || event.todo) totals.skipped++;
  else totals.passed++;
});
events.on("test:fail", (event) => {
  // A suite fails with its tests; alone it fails only when its own hooks or body do.
  if (event.details.type === "suite" && isOnlySubtests(event.details.error)) return;
  if (event.todo) totals.skipped++;
  else totals.failed++;
});

/** @param {unknown} error */
function isOnlySubtests(error) {
  return error instanceof Error && "failureType" in error && error.failureType === "subtestsFailed";
}

for await (const text of events.compose(new spec())) process.stdout.write(text);

const ran = totals.passed + totals.failed;
if (ran === 0) console.error("no test ran");
if (totals.skipped > 0) console.log(`${totals.skipped} skipped`);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 && ran > 0 ? 0 : 1;
