import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LintelError } from "../../src/message/failure.ts";
import { MARK, RuntimeDirectory, runtimePath } from "../../src/supervisor/runtime-directory.ts";
import { processesWith } from "./process-tree.ts";
import { until } from "../house/until.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "lintel-rt-"));
  process.env["XDG_RUNTIME_DIR"] = directory;
});
after(() => rm(directory, { recursive: true }));

async function project(name: string): Promise<string> {
  const path = join(directory, name);
  await mkdir(path);
  return path;
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => assert.fail("it was taken"),
    (refused: unknown) => refused,
  );
  assert.ok(error instanceof LintelError, String(error));
  return error.reason;
}

test("the directory is private, the same by every path, and gone afterwards", async () => {
  const path = await project("one");
  await symlink(path, join(directory, "link"));
  const claimed = await RuntimeDirectory.claim(path);
  assert.equal(claimed.path, runtimePath(join(directory, "link")));
  assert.equal((await stat(claimed.path)).mode & 0o777, 0o700);
  assert.equal((await stat(join(claimed.path, "lock"))).mode & 0o777, 0o600);
  assert.notEqual(claimed.socketUrl(), claimed.socketUrl());
  claimed.release();
  assert.ok(!existsSync(claimed.path));
});

test("a second one is refused while the first runs; of many at once one gets it", async () => {
  const path = await project("two");
  const all = await Promise.allSettled([1, 2, 3, 4].map(() => RuntimeDirectory.claim(path)));
  const claimed = all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  assert.equal(claimed.length, 1);
  assert.equal(await reasonOf(RuntimeDirectory.claim(path)), "ALREADY_RUNNING");
  assert.deepEqual(await readdir(claimed[0]!.path), ["lock"]);
  claimed[0]!.release();
});

test("the lock of the dead is taken over, with what they left behind", async () => {
  const path = await project("three");
  const gone = spawn("true");
  await once(gone, "exit");
  const run = "0123456789abcdef01234567";
  await mkdir(runtimePath(path), { recursive: true });
  await writeFile(join(runtimePath(path), "lock"), JSON.stringify({ pid: gone.pid, started: "1", run }));
  await writeFile(join(runtimePath(path), "1.sock"), "");
  const orphan = spawn("bash", ["-c", "trap '' TERM; setsid sleep 1000 & sleep 1000; sleep 1000"], {
    env: { ...process.env, [MARK]: `${run}/a.1` },
    detached: true,
  });
  await until(() => processesWith(run).length >= 3, "the orphans run");
  const claimed = await RuntimeDirectory.claim(path);
  assert.deepEqual(processesWith(run), []);
  assert.ok(orphan.pid !== undefined);
  assert.deepEqual(await readdir(claimed.path), ["lock"]);
  const held = JSON.parse(await readFile(join(claimed.path, "lock"), "utf8")) as { pid: number; run: string };
  assert.deepEqual([held.pid, held.run], [process.pid, claimed.run]);
  claimed.release();
});

test("another process with the number of the dead does not keep the lock", async () => {
  const path = await project("four");
  await mkdir(runtimePath(path), { recursive: true });
  const run = "0123456789abcdef01234567";
  await writeFile(join(runtimePath(path), "lock"), JSON.stringify({ pid: process.pid, started: "1", run }));
  (await RuntimeDirectory.claim(path)).release();
  await mkdir(runtimePath(path), { recursive: true });
  await writeFile(join(runtimePath(path), "lock"), "no lock at all");
  (await RuntimeDirectory.claim(path)).release();
});

test("a directory that others could enter is closed to them; what is none is refused", async () => {
  const path = await project("five");
  await mkdir(runtimePath(path), { recursive: true });
  await chmod(runtimePath(path), 0o777);
  const claimed = await RuntimeDirectory.claim(path);
  assert.equal((await stat(claimed.path)).mode & 0o777, 0o700);
  claimed.release();
  await symlink(directory, runtimePath(path));
  assert.equal(await reasonOf(RuntimeDirectory.claim(path)), "NOT_PRIVATE");
});
