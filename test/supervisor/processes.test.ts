import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { endProcesses, findProcesses, statusOf } from "../../src/supervisor/processes.ts";
import { processesWith } from "./process-tree.ts";
import { until } from "../house/until.ts";

/** A shell, in a group of its own, whose children are marked. */
function shell(script: string, mark: string): ChildProcess {
  const env = { ...process.env, MARK_OF_TEST: mark };
  return spawn("/bin/bash", ["-c", script], { env, stdio: "ignore", detached: true });
}

test("all of a group end, and who has left it for a session of its own", async () => {
  const mark = randomUUID();
  const child = shell(
    "sleep 1000 & setsid sleep 1000 & (setsid bash -c 'sleep 1000 & sleep 1000' &) ; wait",
    mark,
  );
  const kin = { group: child.pid, mark: `MARK_OF_TEST=${mark}\0` };
  await until(() => processesWith(mark).length >= 6, "the tree stands");
  assert.deepEqual(new Set(await findProcesses(kin)), new Set(processesWith(mark)));
  assert.deepEqual(await endProcesses(kin, 20_000), []);
  assert.deepEqual(processesWith(mark), []);
});

test("who does not care for SIGTERM is killed when the grace is over, or in a hurry", async () => {
  for (const [graceMs, hurry] of [
    [50, undefined],
    [600_000, AbortSignal.abort()],
  ] as const) {
    const mark = randomUUID();
    const child = shell("trap '' TERM; setsid sleep 1000 & while :; do sleep 1000; done", mark);
    await until(() => processesWith(mark).length >= 3, "the tree stands");
    assert.deepEqual(
      await endProcesses({ group: child.pid, mark: `MARK_OF_TEST=${mark}\0` }, graceMs, hurry),
      [],
    );
    assert.deepEqual(processesWith(mark), []);
  }
});

test("a mark is a whole value or a beginning, never a part", async () => {
  const mark = randomUUID();
  const child = shell("sleep 1000 & wait", `${mark}/a.10`);
  await until(() => processesWith(mark).length >= 2, "the tree stands");
  assert.deepEqual(await findProcesses({ mark: `MARK_OF_TEST=${mark}/a.1\0` }), []);
  assert.deepEqual(await findProcesses({ mark: `OF_TEST=${mark}/a.10\0` }), []);
  assert.equal((await findProcesses({ mark: `MARK_OF_TEST=${mark}/` })).length, 2);
  assert.deepEqual(await endProcesses({ group: child.pid, mark: `MARK_OF_TEST=${mark}/` }, 20_000), []);
});

test("a process is told from another by when it started", async () => {
  const [own, first] = await Promise.all([statusOf(process.pid), statusOf(1)]);
  assert.match(own?.started ?? "", /^\d+$/);
  assert.notEqual(own?.started, first?.started);
  assert.equal(await statusOf(2 ** 30), undefined);
});
