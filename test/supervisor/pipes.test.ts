import assert from "node:assert/strict";
import { closeSync, fstatSync, readSync, readdirSync, writeSync } from "node:fs";
import { test } from "node:test";
import { PipeSource, closeAll, type Pipe } from "../../src/supervisor/pipes.ts";
import { childrenOf } from "../cli/cli-process.ts";
import { until } from "../house/until.ts";

const skip = process.platform === "linux" ? false : "elsewhere Node's own pipes can be opened again";

const descriptors = (): number => readdirSync("/proc/self/fd").length;

function read(fd: number): string {
  const into = Buffer.alloc(64);
  return into.toString("latin1", 0, readSync(fd, into));
}

test("each pipe is empty, of its own, and held by nobody else", { skip }, async () => {
  const before = descriptors();
  const source = new PipeSource();
  const taken = await Promise.all([source.take(3), source.take(20), source.take(1), source.take(2)]);
  const pipes = taken.flatMap((some) => some ?? assert.fail("there are no pipes"));
  assert.equal(pipes.length, 26);
  const nodes = pipes.map(({ readEnd, writeEnd }) => {
    assert.ok(fstatSync(readEnd).isFIFO());
    assert.equal(fstatSync(readEnd).ino, fstatSync(writeEnd).ino);
    return fstatSync(readEnd).ino;
  });
  assert.equal(new Set(nodes).size, 26);
  for (const { readEnd, writeEnd } of pipes.slice(0, 13)) {
    writeSync(writeEnd, "a line");
    closeSync(writeEnd);
    assert.deepEqual([read(readEnd), read(readEnd)], ["a line", ""]); // its end is seen
    closeSync(readEnd);
  }
  for (const { readEnd, writeEnd } of pipes.slice(13)) {
    closeSync(readEnd);
    assert.throws(() => writeSync(writeEnd, "a line"), { code: "EPIPE" });
    closeSync(writeEnd);
  }
  source.close();
  assert.equal(await source.take(1), undefined);
  await until(() => descriptors() <= before, "all are closed");
});

test("where a shell makes none there are none", { skip }, async () => {
  for (const shell of ["/no/such/shell", "/bin/true", "/bin/cat"]) {
    const source = new PipeSource(shell);
    const [first, second] = await Promise.all([source.take(3), source.take(3)]);
    assert.deepEqual([first, second, await source.take(1)], [undefined, undefined, undefined], shell);
    source.close();
  }
});

test("who waits when it is closed goes without", { skip }, async () => {
  const source = new PipeSource();
  const taking = source.take(40);
  source.close();
  const pipes: Pipe[] | undefined = await taking;
  if (pipes !== undefined) for (const { readEnd, writeEnd } of pipes) closeAll([readEnd, writeEnd]);
  assert.equal(pipes, undefined);
});

test("a shell that is ended is replaced", { skip }, async () => {
  const source = new PipeSource();
  await source.ready;
  for (let time = 0; time < 3; time++) {
    for (const shell of childrenOf(process.pid)) process.kill(shell, "SIGKILL");
    // The spare ones are there still; whoever needs more goes without once, at the most.
    const taken = [await source.take(7), await source.take(7), await source.take(7)];
    assert.ok(taken[0] !== undefined || time > 0);
    const last = await source.take(3);
    assert.ok(last !== undefined);
    for (const pipes of [...taken, last])
      for (const { readEnd, writeEnd } of pipes ?? []) closeAll([readEnd, writeEnd]);
  }
  source.close();
});
