/** What programs under `lintel work` get for stdin, stdout and stderr, and when they count as ended. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createHub, type Hub } from "../../src/index.ts";
import { isRunning } from "../supervisor/process-tree.ts";
import { until } from "../house/until.ts";
import { childrenOf, start, type Running } from "./cli-process.ts";
import { Project } from "./up-harness.ts";

let hub: Hub;
let directory = "";
const env: Record<string, string> = {};

before(async () => {
  hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  env["LINTEL_HUB"] = hub.urls[0] ?? "";
  directory = await mkdtemp(join(tmpdir(), "lintel-pipes-"));
});
after(async () => {
  await hub.close();
  await rm(directory, { recursive: true });
});

/** Starts a worker of a shell script, and waits until requests reach it. */
async function worker(subject: string, script: string, ...flags: string[]): Promise<Running> {
  const running = start(["work", subject, ...flags, "--", "sh", "-c", script], { env });
  await running.prints(/^lintel: serving /m, "stderr");
  return running;
}

async function textOf(subject: string, body: string): Promise<string> {
  const { value } = await hub.request(subject, body, { full: true });
  return await new Response(value as Uint8Array | string | ReadableStream).text();
}

/** Scripts that open what a shell gives them, with what they answer to "hello". */
const SCRIPTS: readonly [script: string, answer: RegExp][] = [
  ["wc -c /dev/stdin", /^5 \/dev\/stdin\n$/],
  ["cat < /dev/stdin", /^hello$/],
  ["cat /proc/self/fd/0", /^hello$/],
  ["cat /dev/stdin | cat > /dev/stdout", /^hello$/],
  ["echo x > /dev/stdout; echo y >> /dev/fd/1", /^x\ny\n$/],
  ["tee /dev/stderr", /^hello$/],
  ["echo seen > /dev/stderr; echo done", /^done\n$/],
  [`python3 -c "print(open('/dev/stdin').read())"`, /^hello\n$/],
  [`node -e "fs.writeFileSync('/dev/stdout', fs.readFileSync('/dev/stdin'))"`, /^hello$/],
  ["stat -L -c %F /dev/stdin /dev/stdout /dev/stderr", /^(fifo\n){3}$/],
];

for (const flags of [[], ["--stream"]]) {
  test(`programs open /dev/stdin and the others: work ${flags.join(" ")}`, async () => {
    const subject = `pipes${flags.length}`;
    const cases = SCRIPTS.map(([script], index) => `${index}) ${script};;`).join("\n");
    const all = `case $LINTEL_SUBJECT in\n${cases.replaceAll(/^(\d+)/gm, `${subject}.$1`)}\nesac`;
    await using running = await worker(`${subject}.*`, all, ...flags);
    const answers = await Promise.all(SCRIPTS.map((_, index) => textOf(`${subject}.${index}`, "hello")));
    for (const [index, [script, answer]] of SCRIPTS.entries()) assert.match(answers[index]!, answer, script);
    await running.prints(/seen/, "stderr");
    await running.prints(/hello/, "stderr");
    const { exit, stdout } = await running.stop();
    assert.deepEqual([exit, stdout], [0, ""]);
  });
}

test("programs open /dev/stdin and the others: work --lines", async () => {
  const script =
    'echo begun > /dev/stderr; exec < /dev/stdin; while read -r l; do echo "$l" > /dev/stdout; done';
  await using running = await worker("pipes.lines", script, "--lines");
  assert.deepEqual(await hub.request("pipes.lines", { a: 1 }), { a: 1 });
  await running.prints(/begun/, "stderr");
  assert.equal((await running.stop()).exit, 0);
});

test("services open /dev/stdout and /dev/stderr", async () => {
  const command = "echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin; exec sleep 1000";
  await using project = await Project.create({ manifest: `services: { a: { command: "${command}" } }` });
  await using up = project.up();
  await up.prints(/a\.1 \| out/);
  await up.prints(/a\.1 \| err/);
  assert.equal((await up.stop()).exit, 0);
});

test("what makes the pipes ends with a worker that is killed", async () => {
  await using running = await worker("pipes.killed", "cat");
  assert.equal(await textOf("pipes.killed", "x"), "x");
  const children = childrenOf(running.child.pid!);
  running.child.kill("SIGKILL");
  await until(() => !children.some(isRunning), "nothing is left");
});

/** Scripts that leave a process behind, with what they answer. */
const LEAVING: readonly [script: string, answer: string][] = [
  ["sleep 60 & echo done", "done\n"],
  ["sleep 60 & head -c 60000 /dev/zero | tr '\\0' x; exit 0", "x".repeat(60_000)],
  ["setsid sleep 60 & printf done", "done"],
  ["sleep 60 >&2 & printf done", "done"],
  ["(while sleep 0.001; do echo later; done) & printf ''", ""],
];

for (const flags of [[], ["--stream"]]) {
  test(`an answer ends with its program, whatever that leaves behind: work ${flags.join(" ")}`, async () => {
    for (const [index, [script, answer]] of LEAVING.entries()) {
      const subject = `leaving${flags.length}.${index}`;
      await using running = await worker(subject, `echo $$ >&2; ${script}`, ...flags);
      const startedAt = performance.now();
      assert.equal((await textOf(subject, "")).replaceAll("later\n", ""), answer, script);
      assert.ok(performance.now() - startedAt < 20_000, script);
      assert.equal((await running.stop()).exit, 0, script);
      const [group = ""] = /\d+/.exec(running.stderr.replace(/^lintel.*/gm, "")) ?? [];
      endGroup(Number(group));
    }
  });
}

test("what a process left behind writes later is dropped, and does not end it; its stderr is printed", async () => {
  const file = join(directory, "later");
  const script = `(read -r _ < ${directory}/gate; echo later; echo told >&2; echo still >&2; echo on > ${file}) & echo done`;
  await using running = await worker("pipes.later", `mkfifo ${directory}/gate; ${script}`);
  assert.equal(await textOf("pipes.later", ""), "done\n");
  await writeFile(join(directory, "gate"), "\n");
  await running.prints(/told\nstill\n/, "stderr");
  assert.equal(await until(() => readFile(file, "utf8").catch(() => undefined), "it goes on"), "on\n");
  assert.equal((await running.stop()).exit, 0);
});

test("a program of --lines that ends is started again, whatever it leaves behind", async () => {
  const script = 'echo $$ >&2; sleep 60 & read -r l; echo "$l"; exit 0';
  await using running = await worker("leaving.lines", script, "--lines");
  assert.equal(await hub.request("leaving.lines", 1), 1);
  await running.prints(/started again/, "stderr");
  assert.equal(await hub.request("leaving.lines", 2), 2);
  assert.equal((await running.stop()).exit, 0);
  for (const [group] of running.stderr.matchAll(/^\d+$/gm)) endGroup(Number(group));
});

function endGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // it has left the group, and ends by itself
  }
}
