/** When a program counts as ended, over pipes and over the sockets that stand in for them elsewhere. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { startProgram, type RunningProgram } from "../../src/cli/child.ts";
import { findProcesses } from "../../src/supervisor/processes.ts";
import { PipeSource } from "../../src/supervisor/pipes.ts";

async function run(
  script: string,
  source: PipeSource,
  use?: (program: RunningProgram) => void,
): Promise<{ output: string; code: number | null }> {
  const program = await startProgram({ command: "sh", args: ["-c", script] }, source);
  const output: Buffer[] = [];
  program.stderr.resume();
  program.stdin.end("input");
  if (use === undefined) program.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  else use(program);
  const { code } = await program.finished;
  program.signal("SIGKILL"); // what it has left behind
  return { output: Buffer.concat(output).toString(), code };
}

const CASES: readonly [script: string, output: string, code: number][] = [
  ["cat", "input", 0],
  ["cat; exit 3", "input", 3],
  ["sleep 60 & echo done", "done\n", 0],
  ["sleep 60 & cat; exit 7", "input", 7],
  ["sleep 60 & head -c 60000 /dev/zero | tr '\\0' x", "x".repeat(60_000), 0],
  ["exec >&-; cat > /dev/null; exit 2", "", 2],
  ["echo out; exec sleep 60 & wait $! & exit 0", "out\n", 0],
];

for (const [what, shell] of [
  ["pipes", "/bin/sh"],
  ["sockets", "/no/such/shell"],
] as const)
  test(`output is whole at the program's end, also if a process is left behind: ${what}`, async () => {
    const source = new PipeSource(shell);
    for (const [script, output, code] of CASES)
      assert.deepEqual(await run(script, source), { output, code }, script);
    source.close();
  });

test("output that is read late is whole, too", async () => {
  const source = new PipeSource();
  const program = await startProgram(
    { command: "sh", args: ["-c", "sleep 60 & head -c 50000 /dev/zero"] },
    source,
  );
  program.stderr.resume();
  await program.finished;
  let length = 0;
  program.stdout.on("data", (chunk: Buffer) => (length += chunk.length));
  await once(program.stdout, "end");
  assert.equal(length, 50_000);
  program.signal("SIGKILL");
  source.close();
});

test("what a program that is asked to end has started ends with it, and is waited for", async () => {
  const source = new PipeSource();
  const script = "(trap '' TERM; echo here; while :; do sleep 1; done) & trap 'exit 0' TERM; echo here; wait";
  const program = await startProgram({ command: "sh", args: ["-c", script] }, source);
  program.stderr.resume();
  let lines = "";
  program.stdout.on("data", (chunk: Buffer) => {
    lines += chunk.toString();
    if (lines === "here\nhere\n") program.end(300);
  });
  const startedAt = performance.now();
  await program.finished;
  assert.ok(performance.now() - startedAt >= 280);
  assert.deepEqual(await findProcesses({ group: program.pid }), []);
  source.close();
});
