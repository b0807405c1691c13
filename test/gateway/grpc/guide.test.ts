/** docs/guides/grpc.md: its worker, which is an example, run as the guide says, by a hub that comes and goes. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createHub, type Hub } from "../../../src/index.ts";
import { Running } from "../../cli/cli-process.ts";
import { blocksOf, readDocument } from "../../docs/markdown.ts";
import { root } from "../../house/root.ts";
import { stockPython } from "./stock-client.ts";

const EXAMPLE = "examples/grpc_worker.py";

test("the guide shows the example", () => {
  const shown = blocksOf(readDocument("docs/guides/grpc.md")).find(({ mark }) => mark === `file: ${EXAMPLE}`);
  assert.equal(`${shown?.text}\n`, readDocument(EXAMPLE));
});

test("grpc_worker.py: it answers and fails what curl sends, and comes back to a hub that comes back", async () => {
  const { python, generated } = stockPython();
  const start = (port: number): Promise<Hub> =>
    createHub({ http: { port: 0 }, listen: [], grpc: { port }, name: "guide" });
  let hub = await start(0);
  const { host, port } = new URL(hub.grpcUrl!);
  const ask = async (body: string): Promise<[number, unknown]> => {
    const headers = { "content-type": "application/x-www-form-urlencoded" }; // as curl -d says of everything
    const response = await fetch(`${hub.httpUrl}/greet`, { method: "POST", headers, body });
    return [response.status, await response.json()];
  };
  const env = { PYTHONPATH: generated };
  await using worker = new Running(python, [join(root, EXAMPLE), host], { cwd: root, env });
  try {
    await worker.prints(new RegExp(`^serving greet at ${host}$`, "m"));
    assert.deepEqual(await ask('{"name":"Ada"}'), [200, { hello: "Ada" }]);
    const [status, problem] = await ask('{"nome":"Ada"}');
    assert.deepEqual([status, (problem as { reason: string }).reason], [400, "NO_NAME"]);
    await hub.drain();
    await worker.prints(/^UNAVAILABLE: .*; trying again$/m, "stderr");
    hub = await start(Number(port));
    await worker.prints(/(serving greet at [^]*){2}/);
    assert.deepEqual(await ask('{"name":"Bob"}'), [200, { hello: "Bob" }]);
  } finally {
    await hub.close();
    rmSync(generated, { recursive: true });
  }
});
