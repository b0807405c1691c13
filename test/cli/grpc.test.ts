import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { RawCall, said } from "../gateway/grpc/raw-call.ts";
import { until } from "../house/until.ts";
import { start } from "./cli-process.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "lintel-grpc-cli-"));
});
after(() => rm(directory, { recursive: true }));

test("serve --grpc opens the gateway, says where, and goes before the file", async () => {
  await writeFile(
    join(directory, "lintel.yaml"),
    "{ http: false, listen: [], grpc: { listen: 1, maxStreams: 1 } }",
  );
  await using hub = start(["serve", "--grpc", "127.0.0.1:0"], { cwd: directory });
  const [, url = ""] = await hub.prints(/^ {2}grpc {5}(grpc:\/\/127\.0\.0\.1:\d+)$/m);
  await using call = new RawCall(url).listen();
  call.stream.write(said({ case: "register", value: { subject: "work" } }));
  await until(() => call.heard.length === 1, "the registration");
  await using other = new RawCall(url);
  assert.equal(await other.ended(), "8 TOO_MANY", "the file's other keys stay");
  assert.equal((await hub.stop("SIGTERM")).exit, 0);
});

test("serve --grpc takes an address and nothing else", async () => {
  const { exit, stderr } = await start(["serve", "--grpc", "grpc://x"], { cwd: directory }).ended;
  assert.equal(exit, 2);
  assert.match(stderr, /--grpc <host:port>.*It must be HOST:PORT/);
});
