/** Runs a transcript in Python: a raw client written from a protocol's facts alone, whose tests become tests here. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { pathOf } from "../house/provide.ts";
import { root } from "../house/root.ts";

interface Outcome {
  readonly name: string;
  readonly error: string | null;
}

/** Each test of the program becomes a subtest. Fails when the program ends badly, or ran fewer tests than expected. */
export async function runTranscript(
  context: TestContext,
  program: string,
  argv: readonly string[],
  least: number,
): Promise<void> {
  const path = join(root, "test/originals", program);
  const child = spawn(pathOf("python3-websockets"), ["-B", path, ...argv], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  let count = 0;
  try {
    for await (const line of createInterface(child.stdout)) {
      const { name, error } = JSON.parse(line) as Outcome;
      count++;
      await context.test(name, () => {
        if (error !== null) assert.fail(error);
      });
    }
    assert.deepEqual(await exit, [0, null]);
  } finally {
    child.kill("SIGKILL");
  }
  assert.ok(count >= least, `${count} tests ran, ${least} were expected`);
}
