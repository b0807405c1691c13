/** The programs of docs/guides/beam.md, a hub and a client, run against each other. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { Running } from "../../cli/cli-process.ts";
import { blocksOf, readDocument } from "../../docs/markdown.ts";
import { root } from "../../house/root.ts";
import { gatewayTest } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-beam-guide-"));
after(() => rmSync(folder, { recursive: true }));

gatewayTest("the guide's client prints what the guide says", async () => {
  const blocks = blocksOf(readDocument("docs/guides/beam.md"));
  const [hub, client, output] = ["example: hub, keeps running", "example: client", "output"].map((wanted) => {
    const block = blocks.find(({ mark }) => mark === wanted);
    assert.ok(block, wanted);
    return block.text.replaceAll('"beam.sock"', JSON.stringify(join(folder, "beam.sock")));
  });
  await using serving = new Running(process.execPath, ["--input-type=module", "--eval", hub!], { cwd: root });
  await serving.prints(/^beam at unix:/m);
  const { exit, stdout, stderr } = await new Running("python3", ["-c", client!], { cwd: root }).ended;
  assert.equal(exit, 0, stderr);
  assert.equal(stdout.trimEnd(), output);
});
