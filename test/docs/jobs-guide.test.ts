/**
 * The transcripts of docs/guides/jobs.md, typed into one shell as they stand. What differs from run to run, such as ids and
 * the time that is left, is compared by its form.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { createHub } from "../../src/index.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { blocksOf, readDocument } from "./markdown.ts";

const blocks = blocksOf(readDocument("docs/guides/jobs.md"));
const SEPARATOR = "=== the next command ===";
const PATIENCE_MS = 120_000;

interface Command {
  readonly typed: string;
  readonly output: string;
}

const commands = blocks
  .filter(({ mark }) => mark === "session")
  .flatMap(({ text }) => text.split(/^\$ /m).slice(1))
  .map((part): Command => {
    const end = part.indexOf("\n");
    return { typed: part.slice(0, end), output: part.slice(end + 1).trimEnd() };
  });

/** The same for two runs. */
function formOf(output: string): string {
  return output
    .trimEnd()
    .replaceAll("\r", "")
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<id>")
    .replaceAll(/\bcurl\/[\w.]+/g, "curl/<version>")
    .replaceAll(/(deadline|lease)("?: )\d+/gi, "$1$2<ms>");
}

test("docs/guides/jobs.md: what the transcripts show is what happens", async () => {
  provide("curl", "jq");
  assert.ok(commands.length >= 8, `${commands.length} commands were found`);
  const folder = mkdtempSync(join(tmpdir(), "lintel-jobs-"));
  await using hub = await createHub({
    http: { port: 0 },
    listen: [],
    jobs: { services: { resize: {} } },
  });
  const script = commands.map(({ typed }) => `${typed}\necho; echo "${SEPARATOR}"`).join("\n");
  try {
    const { stdout, stderr } = await promisify(execFile)("bash", ["-c", script], {
      cwd: folder,
      env: { ...process.env, hub: hub.httpUrl },
      timeout: PATIENCE_MS,
    });
    assert.equal(stderr, "");
    const outputs = stdout.split(SEPARATOR);
    commands.forEach(({ typed, output }, index) => {
      assert.equal(formOf(outputs[index]!.replace(/^\n/, "")), formOf(output), typed);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the worker of the guide and of the README is the one of the examples", () => {
  const script = readFileSync(join(root, "examples/upper-worker.sh"), "utf8");
  const lines = script.split("\n").filter((line) => line !== "" && !/^# |^#!/.test(line));
  assert.equal(lines.length, 5);
  const shown = blocks.find(({ mark }) => mark === "file: examples/upper-worker.sh");
  assert.equal(shown?.text, lines.join("\n"));
  const first = blocksOf(readDocument("README.md")).find(
    ({ mark }) => mark === "file: examples/upper-worker.sh",
  );
  assert.equal(first?.text, lines.join("\n"));
});

test("every transcript of the guide is run", () => {
  const others = blocks.filter(({ language, mark }) => language === "console" && mark !== "session");
  assert.equal(others.length, 0, `line ${others[0]?.line}`);
});
