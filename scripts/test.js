/**
 * Runs the tests, which must have been compiled into build, on the Node that runs this script.
 *
 *   node scripts/test.js             every test file
 *   node scripts/test.js wire hub    the files whose path contains "wire" or "hub"
 *
 * A few files that fail among others are run once more, alone; what failed, and what passed then, is told at the end.
 * Fails when no test file is found or no test ran. The last line printed is "N passed, N failed".
 */
import { setMaxListeners } from "node:events";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const patterns = process.argv.slice(2);

// Node 24 applies the limit to each test; 20 and 22 know only a limit for a whole file.
const limit = Number(process.versions.node.split(".")[0]) >= 24 ? 60_000 : 180_000;
// A file that leaves a timer or a socket open keeps its process alive: the run as a whole is bounded too.
const wholeRun = 8 * 60_000;
const SECOND_CHANCES = 3;

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

const stop = AbortSignal.timeout(wholeRun);
setMaxListeners(0, stop); // each file that runs listens to it
const first = await runTests(files, 2);
const failed = [...first.values()].filter((result) => result.failures.length > 0);
const notes = [];

// Some tests are about time, and machines are shared: a few files that failed get a second chance, without neighbours.
// Both outcomes are told. What is broken fails twice.
if (failed.length > 0 && failed.length <= SECOND_CHANCES && files.length > failed.length && !stop.aborted) {
  console.log(`\nonce more, alone: ${failed.map(({ file }) => named(file)).join(", ")}`);
  const second = await runTests(
    failed.map(({ file }) => file),
    1,
  );
  for (const result of failed) {
    const again = second.get(result.file);
    if (again === undefined) continue;
    first.set(result.file, again);
    if (again.failures.length === 0)
      for (const name of result.failures)
        notes.push(`failed beside others, passed alone: ${named(result.file)}: ${name}`);
  }
}

const totals = { passed: 0, failed: 0, skipped: 0 };
for (const { file, passed, skipped, failures } of first.values()) {
  totals.passed += passed;
  totals.skipped += skipped;
  totals.failed += failures.length;
  for (const name of failures) notes.push(`failed: ${named(file)}: ${name}`);
}
const ran = totals.passed + totals.failed;
if (ran === 0) console.error("no test ran");
if (totals.skipped > 0) console.log(`${totals.skipped} skipped`);
for (const note of notes) console.log(note);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 && ran > 0 ? 0 : 1;

/** @typedef {{ file: string, passed: number, skipped: number, failures: string[] }} Result of one file */

/**
 * @param {string[]} paths
 * @param {number} concurrency how many at a time
 * @returns {Promise<Map<string, Result>>} results by path, of every file that ran
 */
async function runTests(paths, concurrency) {
  /** @type {Map<string, Result>} */
  const results = new Map();
  const unfinished = new Set(paths);
  const tellUnfinished = () =>
    console.error(
      `stopped after ${wholeRun / 60_000} minutes; silent so far: ${[...unfinished].map(named).join(", ")}`,
    );
  stop.addEventListener("abort", tellUnfinished);

  /** @param {{ file?: string, name: string }} event a file that fails as a whole has its path for a name */
  const resultOf = ({ file = "", name }) => {
    const path = compiled(file === "" ? name : file);
    const result = results.get(path) ?? { file: path, passed: 0, skipped: 0, failures: [] };
    results.set(path, result);
    return result;
  };
  const events = run({ files: paths, concurrency, timeout: limit, signal: stop });
  events.on("test:start", (event) => unfinished.delete(compiled(event.file ?? event.name)));
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
  stop.removeEventListener("abort", tellUnfinished);
  return results;
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
