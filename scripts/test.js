/**
 * Runs the tests, which must have been compiled into build, on the Node that runs this script.
 *
 *   node scripts/test.js             every test file
 *   node scripts/test.js wire hub    the files whose path contains "wire" or "hub"
 *
 * Prints the slowest files and the time of the run. Fails when no test file is found or no test ran. The last line printed
 * is "N passed, N failed".
 */
import { setMaxListeners } from "node:events";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const patterns = process.argv.slice(2);

// Node 24 applies the limit to each test; 20 and 22 know only a limit for a whole file.
const limit = Number(process.versions.node.split(".")[0]) >= 24 ? 120_000 : 600_000;
// A file that leaves a timer or a socket open keeps its process alive: a run in which nothing happens any more is stopped.
const SILENCE_MS = 180_000;
/** Files that run at a time: one more than there are processors, since most files wait for something half of their time. */
const AT_ONCE = availableParallelism() + 1;
const SLOWEST = 10;

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

const started = performance.now();
const results = await runTests();
const totals = { passed: 0, failed: 0, skipped: 0 };
for (const { passed, failures, skipped } of results.values()) {
  totals.passed += passed;
  totals.failed += failures.length;
  totals.skipped += skipped;
}
if (totals.skipped > 0) console.log(`${totals.skipped} skipped`);
const slowest = [...results].toSorted(([, a], [, b]) => b.ms - a.ms).slice(0, SLOWEST);
console.log(`\n${inSeconds(performance.now() - started)} in all; the slowest files:`);
for (const [path, { ms }] of slowest) console.log(`${inSeconds(ms).padStart(8)}  ${named(path)}`);
for (const [path, { failures }] of results)
  for (const name of failures) console.log(`failed: ${named(path)}: ${name}`);
const ran = totals.passed + totals.failed;
if (ran === 0) console.error("no test ran");
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 && ran > 0 ? 0 : 1;

/**
 * @typedef {{ passed: number, skipped: number, failures: string[], began: number, ms: number }} Result of one file; `ms` is
 * the time from its start to the last that was heard of it
 */

/** @returns {Promise<Map<string, Result>>} results by path, of every file that ran */
async function runTests() {
  /** @type {Map<string, Result>} */
  const found = new Map();
  const unfinished = new Set(files);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // each file that runs listens to it
  const silence = setTimeout(() => {
    console.error(
      `nothing happened for ${inSeconds(SILENCE_MS)}; not ended: ${[...unfinished].map(named).join(", ")}`,
    );
    stop.abort();
  }, SILENCE_MS);

  /** @param {{ file?: string, name: string }} event a file that fails as a whole has its path for a name */
  const resultOf = ({ file = "", name }) => {
    silence.refresh();
    const path = compiled(file === "" ? name : file);
    const now = performance.now();
    const result = found.get(path) ?? { passed: 0, skipped: 0, failures: [], began: now, ms: 0 };
    found.set(path, result);
    return result;
  };
  // These come as it happens; what passed and what failed is told in the order of the files.
  const heard = (/** @type {{ file?: string, name: string }} */ event) => {
    const result = resultOf(event);
    result.ms = performance.now() - result.began;
  };
  const events = run({ files, concurrency: AT_ONCE, timeout: limit, signal: stop.signal });
  events.on("test:dequeue", heard);
  events.on("test:complete", (event) => {
    heard(event);
    if (event.nesting === 0 && compiled(event.name) === compiled(event.file ?? ""))
      unfinished.delete(compiled(event.name));
  });
  events.on("test:pass", (event) => {
    if (event.details.type === "suite") return;
    if (event.skip || event.todo) resultOf(event).skipped++;
    else resultOf(event).passed++;
  });
  events.on("test:fail", (event) => {
    // A suite fails with its tests; alone it fails only when its own hooks or body do.
    if (event.details.type === "suite" && isOnlySubtests(event.details.error)) return;
    if (event.todo) resultOf(event).skipped++;
    else resultOf(event).failures.push(event.name);
  });
  for await (const text of events.compose(new spec())) process.stdout.write(text);
  clearTimeout(silence);
  return found;
}

/** @param {number} ms */
function inSeconds(ms) {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** @param {unknown} error */
function isOnlySubtests(error) {
  return error instanceof Error && "failureType" in error && error.failureType === "subtestsFailed";
}

/** @param {string} path of a compiled test, or of its source, which source maps make of it */
function compiled(path) {
  return path.endsWith(".ts") ? join(root, "build", relative(root, path)).replace(/\.ts$/, ".js") : path;
}

/** @param {string} path of a compiled test */
function named(path) {
  return relative(join(root, "build"), path).replace(/\.js$/, ".ts");
}
