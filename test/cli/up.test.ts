import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { isRunning, processesWith } from "../supervisor/process-tree.ts";
import { until } from "../house/until.ts";
import { Project } from "./up-harness.ts";

const POST = { method: "POST", headers: { "content-type": "application/json" } };

/** Leaves its group, does not care for SIGTERM, and has children that do the same. */
const STUBBORN =
  "trap '' TERM; setsid bash -c \\\"trap '' TERM; sleep 1000 & sleep 1000; sleep 1000\\\" & sleep 1000; sleep 1000";

test("the example: three languages answer, what crashes is started again, Ctrl-C leaves nothing", async () => {
  await using project = await Project.create({ path: join(root, "examples/up") });
  const up = project.up("--http", "127.0.0.1:0");
  const [, http = ""] = await up.prints(/^ {2}http {5}(\S+)$/m);
  await up.prints(/^lintel: every service is ready$/m, "stderr");
  const ask = async (path: string, body: unknown): Promise<string> =>
    (await fetch(`${http}/${path}`, { ...POST, body: JSON.stringify(body) })).text();
  assert.match(await ask("greet", { name: "Ada" }), /^\{"hello":"Ada","from":"greet\.[12]"\}$/);
  assert.equal(await ask("sum", [1, 2, 3]), '{"sum":6}');
  assert.equal(await ask("upper", "hello"), '"HELLO"');
  await up.prints(/^greet\.[12] \| greeting Ada$/m);
  await up.prints(/^hub {5}\| \S+ POST \/sum 200 [\d.]+ ms sum$/m);

  const before = (await project.ps()).find(({ instance }) => instance === "sum.1");
  assert.match(await ask("sum", "crash"), /WORKER_LOST/);
  const after = await until(
    async () =>
      (await project.ps()).find(
        ({ instance, state, restarts }) => instance === "sum.1" && state === "ready" && restarts > 0,
      ),
    "another one in its place",
  );
  assert.notEqual(after.pid, before?.pid);
  assert.match(after.why, /^ended with code 3; again in \d+ ms$/);
  assert.deepEqual(after.subjects, [{ subject: "sum", served: true }]);
  assert.equal(await ask("sum", [4]), '{"sum":4}');

  const tree = project.processes();
  assert.ok(tree.length >= 6, `up, its guard, greet twice, sum, upper: ${tree.join(" ")}`);
  const { exit } = await up.stop("SIGINT");
  assert.equal(exit, 0);
  assert.deepEqual(project.processes(), []);
  assert.deepEqual(tree.filter(isRunning), []);
  assert.deepEqual(readdirSync(join(project.runtime, "lintel")), []);
});

test("kill -9 of lintel up: what it has started ends all the same, and it can be started again", async () => {
  const manifest = `services: { a: { command: "${STUBBORN}", stopGrace: 100ms } }`;
  await using project = await Project.create({ manifest });
  const first = project.up();
  await first.prints(/a\.1 is ready/, "stderr");
  await until(() => project.processes().length >= 7, "the tree stands");
  await first.stop("SIGKILL");
  await until(() => project.processes().length === 0, "its guard has ended them");

  // Without its guard, the next one does it.
  const second = project.up();
  await second.prints(/a\.1 is ready/, "stderr");
  await until(() => project.processes().length >= 7, "the tree stands");
  const guards = processesWith("guard-process.js").filter((pid) => project.processes().includes(pid));
  assert.equal(guards.length, 1);
  process.kill(guards[0]!, "SIGKILL");
  await second.stop("SIGKILL");
  const orphans = project.processes();
  assert.ok(orphans.length >= 5, `${orphans.length}`);
  const third = project.up();
  await third.prints(/a\.1 is ready/, "stderr");
  assert.deepEqual(orphans.filter(isRunning), []);
  assert.equal((await third.stop("SIGTERM")).exit, 0);
  assert.deepEqual(project.processes(), []);
});

test("a second signal ends all at once; a second lintel up is refused", async () => {
  const manifest = `services: { a: { command: "${STUBBORN}", stopGrace: 10m } }`;
  await using project = await Project.create({ manifest });
  const up = project.up();
  await up.prints(/a\.1 is ready/, "stderr");
  const { exit, stderr } = await project.up().ended;
  assert.equal(exit, 1);
  assert.match(stderr, /^lintel: ALREADY_RUNNING: .* as process \d+\n {2}`lintel ps`/);
  up.child.kill("SIGINT");
  await up.prints(/stopping/, "stderr");
  const pressing = setInterval(() => up.child.kill("SIGINT"), 400);
  assert.equal((await up.ended).exit, 130);
  clearInterval(pressing);
  await until(() => project.processes().length === 0, "nothing is left");
});

test("names are in colors on a terminal, and a terminal that is closed ends all", async () => {
  const manifest = "services:\n  a:\n    command: printf '\\033[31mred\\n'; exec sleep 1000\n";
  await using project = await Project.create({ manifest });
  const colored = await project.inTerminal("a.1 \\|.*red").ended;
  assert.ok(
    colored.stdout.includes("\x1b[36ma.1 |\x1b[39m \\x1b[31mred\r\n"),
    JSON.stringify(colored.stdout),
  );
  assert.deepEqual(project.processes(), []);
  const plain = await project.inTerminal("a.1 \\|.*red", { NO_COLOR: "1" }).ended;
  assert.ok(plain.stdout.includes("\na.1 | \\x1b[31mred\r\n"), JSON.stringify(plain.stdout));
  assert.deepEqual(project.processes(), []);
});

test("only what has changed in the manifest is restarted", async () => {
  const service = (name: string, rest = ""): string => `  ${name}: { command: exec sleep 1000${rest} }\n`;
  const manifest = `services:\n${service("same")}${service("other")}${service("gone")}${service("more")}`;
  await using project = await Project.create({ manifest });
  const up = project.up();
  await up.prints(/every service is ready/, "stderr");
  const pids = async (): Promise<Map<string, number | null>> =>
    new Map((await project.ps()).map(({ instance, pid }) => [instance, pid]));
  const before = await pids();
  await project.write(
    `services:\n${service("same")}${service("other", ", environment: { A: 1 }")}${service("more", ", instances: 2")}${service("new")}`,
  );
  for (const word of ["started: new", "stopped: gone", "restarted: other", "scaled: more"])
    await up.prints(new RegExp(`^lintel: ${word}$`, "m"), "stderr");
  for (const instance of ["more.2", "new.1", "other.1"]) await project.becomes(instance, "ready");
  const after = await pids();
  assert.deepEqual([...after.keys()].toSorted(), ["more.1", "more.2", "new.1", "other.1", "same.1"]);
  for (const same of ["same.1", "more.1"]) assert.equal(after.get(same), before.get(same));
  assert.notEqual(after.get("other.1"), before.get("other.1"));

  await project.write("services: { same: { comand: x } }\n");
  await up.prints(/lintel\.yaml:1:21: service same has no key "comand"; did you mean "command"\?/, "stderr");
  await up.prints(/everything goes on as before/, "stderr");
  await project.write(`limits: { queue: 5 }\nservices:\n${service("same")}`);
  await up.prints(/the hub keeps what it was started with until the next lintel up: limits$/m, "stderr");
  await up.prints(/^lintel: stopped: other, more, new$/m, "stderr");
  up.child.kill("SIGHUP");
  await up.prints(/lintel\.yaml says the same as before/, "stderr");
  assert.equal((await pids()).get("same.1"), before.get("same.1"));
  assert.equal((await up.stop()).exit, 0);
});

test("what does not start, does not get ready or does not last is seen, and waits longer each time", async () => {
  const manifest = `
services:
  loop: { command: exit 7, restart: { first: 20ms, last: 1h } }
  given-up: { command: exit 7, restart: { attempts: 3, first: 1ms, last: 1ms } }
  job: { command: "true", restart: on-failure }
  absent: { command: [no-such-program-here], restart: never }
  mute: { command: exec sleep 1000, subjects: [never.served], startTimeout: 50ms, restart: never }
  waits: { command: exec sleep 1000, dependsOn: [mute] }
`;
  await using project = await Project.create({ manifest });
  const up = project.up();
  assert.equal(
    (await project.becomes("given-up.1", "failed").catch((error: unknown) => error)) instanceof Error,
    false,
  );
  const ps = await until(async () => {
    const now = new Map((await project.ps()).map((one) => [one.service, one]));
    return now.get("mute")?.state === "failed" && (now.get("loop")?.restarts ?? 0) >= 4 ? now : undefined;
  }, "all have come to something");
  assert.deepEqual(
    ["given-up", "job", "absent", "mute", "waits"].map((name) => [ps.get(name)?.state, ps.get(name)?.why]),
    [
      ["failed", "ended with code 7"],
      ["ended", "ended with code 0"],
      ["failed", 'cannot be started: the program "no-such-program-here" was not found in PATH'],
      ["failed", "was not ready within 50 ms"],
      ["waiting", ""],
    ],
  );
  assert.equal(ps.get("given-up")?.restarts, 2);
  const waited = [...up.stderr.matchAll(/loop\.1 ended with code 7; again in (\d+) ms/g)].map(([, ms]) =>
    Number(ms),
  );
  for (const [index, ms] of waited.entries())
    assert.ok(ms >= 10 * 2 ** index && ms <= 20 * 2 ** index, waited.join());
  const { stdout } = await project.run("ps");
  assert.match(stdout, /^NAME +INSTANCE +PID +STATE +SINCE +RESTARTS +SUBJECTS +LAST END$/m);
  assert.match(stdout, /^mute +1 +- +failed +\d+s +0 +0\/1 +was not ready within 50 ms$/m);
  assert.equal((await up.stop()).exit, 0);
  assert.deepEqual(project.processes(), []);
});

test("logs keep what was written, binary and without end too, and follow", async () => {
  const manifest = `
services:
  talk:
    command: |
      printf 'one\\n\\033[2Jtwo\\001\\377\\n'
      printf '%040000d\\n' 0
      echo last; exec sleep 1000
  quiet: { command: echo begun; exec sleep 1000 }
`;
  await using project = await Project.create({ manifest });
  const up = project.up();
  await up.prints(/^talk\.1 +\| last$/m);
  const { exit, stdout } = await project.run("logs", "talk");
  assert.equal(exit, 0);
  const lines = stdout.split("\n").filter((line) => line !== "");
  assert.deepEqual(
    lines.map((line) => line.length),
    [12, Buffer.byteLength("talk.1 | \\x1b[2Jtwo\\x01\uFFFD"), 16_393, 16_393, 7_241, 13],
  );
  assert.match((await project.run("logs", "talk", "--lines", "1")).stdout, /^talk\.1 \| last\n$/);
  await using following = project.start("logs", "quiet", "--follow");
  await following.prints(/^quiet\.1 \| begun$/m);
  assert.equal((await project.run("restart", "quiet")).exit, 0);
  await following.prints(/begun\nquiet\.1 \| begun$/m);
  const unknown = await project.run("logs", "tlak");
  assert.deepEqual([unknown.exit, unknown.stdout], [1, ""]);
  assert.match(unknown.stderr, /NO_SERVICE: there is no service "tlak"; did you mean "talk"\?/);
  assert.equal((await following.stop("SIGINT")).exit, 0);
  assert.equal((await up.stop()).exit, 0);
});

test("scale and restart change what runs and tell what came of it", async () => {
  const manifest = "services: { a: { work: { subject: a, command: [cat] }, instances: 1 } }";
  await using project = await Project.create({ manifest });
  assert.equal((await project.run("ps")).exit, 3);
  const up = project.up();
  await up.prints(/a\.1 is ready/, "stderr");
  assert.match((await project.run("scale", "a=2")).stdout, /^a +2 /m);
  await Promise.all(["a.1", "a.2"].map((name) => project.becomes(name, "ready")));
  const before = new Set((await project.ps()).map(({ pid }) => pid));
  const { exit, stdout } = await project.run("restart", "a");
  assert.equal(exit, 0);
  assert.equal(stdout.match(/ ready .* 1\/1/g)?.length, 2);
  const after = (await project.ps()).map(({ pid }) => pid);
  assert.ok(after.every((pid) => !before.has(pid)));
  assert.equal((await project.run("scale", "a=0")).exit, 0);
  assert.deepEqual(await project.ps(), []);
  assert.match((await project.run("scale", "a=999")).stderr, /BAD_COUNT: .* from 0 to 256/);
  assert.equal((await up.stop()).exit, 0);
  assert.deepEqual(project.processes(), []);
});

test("a service that pulls its jobs over HTTP is ready with its first poll, again after each start", async () => {
  provide("curl");
  const manifest = `
services:
  pull:
    command: |
      until rm begin; do sleep 0.05; done 2>/dev/null
      while :; do curl -sf "$LINTEL_HTTP/service/pulled/jobs"; done
    subjects: [pulled]
    restart: { first: 1ms }
  after: { command: exec sleep 1000, dependsOn: [pull] }
`;
  await using project = await Project.create({ manifest });
  const up = project.up("--http", "127.0.0.1:0");
  const starting = await project.becomes("pull.1", "starting");
  assert.deepEqual(starting.subjects, [{ subject: "pulled", served: false }]);
  await project.becomes("after.1", "waiting");
  await writeFile(join(project.path, "begin"), "");
  const { pid, subjects } = await project.becomes("pull.1", "ready");
  assert.deepEqual(subjects, [{ subject: "pulled", served: true }]);
  await project.becomes("after.1", "ready");
  process.kill(-pid!, "SIGKILL");
  // The polls of the one before are no sign of this one.
  const again = await project.becomes("pull.1", "starting");
  assert.notEqual(again.pid, pid);
  await writeFile(join(project.path, "begin"), "");
  await project.becomes("pull.1", "ready");
  assert.equal((await up.stop()).exit, 0);
  assert.deepEqual(project.processes(), []);
});

test("services are told of the hub by their environment, and no port is open for them", async () => {
  const manifest = `services: { a: { command: "env; exec sleep 1000", environment: { OF_MANIFEST: 7 } } }`;
  await using project = await Project.create({ manifest });
  const up = project.up("--http", "127.0.0.1:0");
  const [, http] = await up.prints(/^ {2}http {5}(\S+)$/m);
  await up.prints(/^a\.1 \| LINTEL_INSTANCE=[0-9a-f]{24}\/a\.1$/m);
  await up.prints(/^a\.1 \| OF_MANIFEST=7$/m);
  await up.prints(new RegExp(`^a\\.1 \\| LINTEL_HTTP=${http}$`, "m"));
  const [, socket = ""] = await up.prints(/^a\.1 \| LINTEL_HUB=unix:\/\/(.+)$/m);
  assert.ok(socket.startsWith(project.runtime) && existsSync(socket));
  assert.equal(up.stdout.match(/^ {2}workers/gm), null);
  assert.equal(listeningPorts(up.child.pid!).length, 1, "HTTP's");
  assert.equal((await up.stop()).exit, 0);
});

/** TCP ports that a process listens on. */
function listeningPorts(pid: number): number[] {
  const open = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return ""; // it was closed meanwhile
      }
    }),
  );
  const rows = ["tcp", "tcp6"].flatMap((name) =>
    readFileSync(`/proc/${pid}/net/${name}`, "latin1").split("\n"),
  );
  return rows.flatMap((row) => {
    const [, local = "", , state, , , , , , inode] = row.trim().split(/ +/);
    return state === "0A" && open.has(`socket:[${inode}]`) ? [Number.parseInt(local.split(":")[1]!, 16)] : [];
  });
}

test("a manifest without services, and none at all, are refused; an Astrofile is one too", async () => {
  await using project = await Project.create({ manifest: "limits: { queue: 5 }" });
  const { exit, stderr } = await project.up().ended;
  assert.equal(exit, 2);
  assert.match(stderr, /^lintel: USAGE: lintel\.yaml has no services\n/);
  await using empty = await Project.create({ path: project.runtime });
  assert.match(
    (await empty.up().ended).stderr,
    /^lintel: USAGE: there is no lintel\.yaml or Astrofile here\n/,
  );
  await writeFile(join(empty.path, "Astrofile"), "services: { a: { command: exec sleep 1000 } }");
  const up = empty.up();
  await up.prints(/^ {2}manifest Astrofile$/m);
  await up.prints(/a\.1 is ready/, "stderr");
  assert.equal((await up.stop()).exit, 0);
});
