import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { RawClient } from "../gateway/commands/raw-client.ts";
import { start } from "./cli-process.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "lintel-commands-cli-"));
});
after(() => rm(directory, { recursive: true }));

test("serve --commands opens the gateway at each URL, and replaces those of the file", async () => {
  const source = "{ http: false, listen: [], commands: { listen: [ws://127.0.0.1:1], serve: [client.>] } }";
  await writeFile(join(directory, "lintel.yaml"), source);
  const flags = ["--commands", "ws://127.0.0.1:0", "--commands", "tcp://127.0.0.1:0"];
  await using hub = start(["serve", ...flags], { cwd: directory });
  const [, ws = ""] = await hub.prints(/^ {2}commands (ws:\/\/127\.0\.0\.1:\d+\/socket)$/m);
  const [, tcp = ""] = await hub.prints(/^ {2}commands (tcp:\/\/127\.0\.0\.1:\d+)$/m);
  await using client = await RawClient.open(ws);
  client.answers("client.ask", (body) => ({ you: body }));
  await client.call("drs.ping");
  await using caller = await RawClient.open(tcp);
  assert.deepEqual((await caller.call("client.ask", 1)).body, { you: 1 });
  assert.equal((await hub.stop("SIGTERM")).exit, 0);
});

test("serve --help names the flag", async () => {
  const { stdout } = await start(["serve", "--help"]).ended;
  assert.match(stdout, /--commands <url>/);
  assert.match(stdout, /lintel serve --commands ws:\/\/127\.0\.0\.1:12000/);
});
