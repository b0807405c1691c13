/** `lintel up` where something it needs is not to be had. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { until } from "../house/until.ts";
import type { Outcome } from "./cli-process.ts";
import { Project } from "./up-harness.ts";

test("when there are no descriptors left what runs goes on, and the rest is tried again", async () => {
  const manifest = `services: { a: { command: [sleep, "1000"], instances: 100, restart: { first: 1ms } } }`;
  await using project = await Project.create({ manifest });
  const up = project.upBy('ulimit -n 120; exec "$@"');
  const [, name] = await up.prints(
    /^lintel: (a\.\d+) cannot be started: spawn sleep EMFILE; again/m,
    "stderr",
  );
  const again = new RegExp(`${name} cannot be started: .*\n(?:.*\n)*lintel: ${name} cannot be started`);
  await up.prints(again, "stderr");
  assert.match(up.stderr, /^lintel: a\.1 is ready$/m);
  assert.doesNotMatch(up.stderr, /^lintel: a\.1 (?!is )/m);
  assert.equal((await up.stop()).exit, 0);
  assert.deepEqual(project.processes(), []);
});

test("readers that leave, and a terminal that hangs up twice, disturb nothing", async () => {
  const command = "trap 'sleep 0.3; echo bye; exit' TERM; while :; do sleep 0.1; done";
  const manifest = `services: { a: { command: "${command}", stopGrace: 10m } }`;
  await using project = await Project.create({ manifest });
  const up = project.up();
  await up.prints(/a\.1 is ready/, "stderr");
  for (const args of [["ps"], ["scale", "a=1"], ["restart", "a"]]) {
    await using running = project.start(...args);
    running.child.stdout.destroy();
    assert.deepEqual(await running.ended, { exit: 0, stdout: "", stderr: "" }, args.join(" "));
  }
  up.child.kill("SIGTERM");
  await up.prints(/stopping/, "stderr");
  up.child.kill("SIGHUP");
  const { exit, stdout } = await up.ended;
  assert.equal(exit, 0);
  assert.match(stdout, /a\.1 \| bye\n$/);
});

test("logs --follow ends with lintel up, and says when that was killed", async () => {
  const command = "trap 'echo bye; exit' TERM; echo on; while :; do sleep 0.1; done";
  await using project = await Project.create({ manifest: `services: { a: { command: "${command}" } }` });
  const follow = async (signal: NodeJS.Signals): Promise<Outcome> => {
    const up = project.up();
    await up.prints(/a\.1 \| on/);
    const following = project.start("logs", "a", "--follow");
    await following.prints(/a\.1 \| on/);
    await up.stop(signal);
    return await following.ended;
  };
  const ended = await follow("SIGTERM");
  assert.match(ended.stdout, /a\.1 \| bye\n$/);
  assert.deepEqual([ended.exit, ended.stderr], [0, "lintel: lintel up has ended\n"]);
  const killed = await follow("SIGKILL");
  assert.equal(killed.exit, 1);
  assert.match(killed.stderr, /^lintel: CONNECTION_LOST: lintel up has ended without notice: it was killed/);
  await until(() => project.processes().length === 0, "what it has started has ended");
});

const UNWATCHED = "echo 0 > /proc/sys/user/max_inotify_instances";
const OWN_LIMITS = ["unshare", "--user", "--map-root-user"];
const canForbid = spawnSync("env", [...OWN_LIMITS, "/bin/sh", "-c", UNWATCHED]).status === 0;

test(
  "where the system has no watches left SIGHUP reads the file again",
  {
    skip: canForbid ? false : "this user may not make a user namespace with limits of its own",
  },
  async () => {
    await using project = await Project.create({ manifest: "services: { a: { command: exec sleep 1000 } }" });
    const up = project.upBy(`${UNWATCHED}; exec "$@"`, ...OWN_LIMITS);
    await up.prints(/^lintel: cannot watch lintel\.yaml: .*; SIGHUP reads it again$/m, "stderr");
    await up.prints(/a\.1 is ready/, "stderr");
    up.child.kill("SIGHUP");
    await up.prints(/lintel\.yaml says the same as before/, "stderr");
    assert.equal((await up.stop()).exit, 0);
  },
);
