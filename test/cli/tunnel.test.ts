/** `lintel tunnel` and `lintel expose` as processes, each of which may be killed. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createHub, type Hub } from "../../src/index.ts";
import { TestTarget, dial, echoLines, type Ended } from "../gateway/tunnel/endpoints.ts";
import { freePorts } from "../proxy/proxy-process.ts";
import { Running, start } from "./cli-process.ts";

let hub: Hub;
const env: Record<string, string> = {};

before(async () => {
  hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  env["LINTEL_HUB"] = hub.urls[0]!;
});
after(() => hub.close());

async function expose(args: readonly string[], at = env): Promise<Running> {
  const running = start(["expose", ...args], { env: at });
  await running.prints(/^lintel: exposing /m, "stderr");
  return running;
}

async function tunnel(args: readonly string[], at = env): Promise<[Running, number]> {
  const running = start(["tunnel", "--listen", "0", ...args], { env: at });
  const [, port] = await running.prints(/^lintel: listening on 127\.0\.0\.1:(\d+) for /m, "stderr");
  return [running, Number(port)];
}

async function lineEcho(end: Ended): Promise<void> {
  end.socket.write("hello\n");
  await end.says("hello\n");
}

test("a connection goes through, half-closed and whole; a signal waits for what is open", async () => {
  await using target = new TestTarget(echoLines);
  const { port } = await target.start();
  await using exposed = await expose(["db.main", `127.0.0.1:${port}`]);
  const [tunneled, at] = await tunnel(["--subject", "db.main"]);
  await using _ = tunneled;
  const client = await dial(at);
  await lineEcho(client);
  const ends = [exposed.stop("SIGTERM"), tunneled.stop("SIGINT")];
  await exposed.prints(/waiting for 1 open connections; a second signal ends them at once/, "stderr");
  await tunneled.prints(/waiting for 1 open connections/, "stderr");
  client.socket.end("bye\n");
  await client.says("bye\n10 bytes\n");
  for (const { exit, stdout } of await Promise.all(ends)) assert.deepEqual([exit, stdout], [0, ""]);
});

test("a target may be a socket in the file system", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lintel-target-"));
  const path = join(folder, "echo.sock");
  await using target = new TestTarget(echoLines);
  await target.listen({ path });
  await using exposed = await expose(["unix.target", `unix:${path}`]);
  const [tunneled, at] = await tunnel(["--subject", "unix.target"]);
  await using _ = tunneled;
  const client = await dial(at);
  client.socket.end("through a file\n");
  await client.says("through a file\n15 bytes\n");
  assert.equal(exposed.stderr.match(/^lintel: /gm)?.length, 1);
  await rm(folder, { recursive: true });
});

test("each connection that fails is one line that says why", async () => {
  const [tunneled, at] = await tunnel(["--subject", "db.other", "--max-connections", "1"]);
  await using _ = tunneled;
  await (await dial(at)).closed();
  await tunneled.prints(/^lintel: 127\.0\.0\.1:\d+: NO_RESPONDERS: nobody serves this subject$/m, "stderr");
  const [port] = (await freePorts(1)) as [number];
  await using exposed = await expose(["db.other", `127.0.0.1:${port}`]);
  await (await dial(at)).closed();
  await tunneled.prints(/: TARGET_UNREACHABLE: the target cannot be reached \(ECONNREFUSED\)$/m, "stderr");
  await exposed.prints(/^lintel: 127\.0\.0\.1:\d+: TARGET_UNREACHABLE: connect ECONNREFUSED /m, "stderr");
});

test("an address that is taken is explained", async () => {
  await using target = new TestTarget(echoLines);
  const { port } = await target.start();
  const taken = ["tunnel", "--listen", `127.0.0.1:${port}`, "--subject", "a"];
  const { exit, stderr } = await start(taken, { env }).ended;
  assert.equal(exit, 3);
  assert.match(stderr, new RegExp(`^lintel: ADDRESS_IN_USE: cannot listen on 127\\.0\\.0\\.1:${port}: `));
});

test("an address that others reach is warned of", async () => {
  const wide = start(["tunnel", "--listen", "0.0.0.0:0", "--subject", "db.main"], { env });
  await using _ = wide;
  await wide.prints(
    /^lintel: warning: 0\.0\.0\.0:\d+ is open to other machines, .* reaches db\.main$/m,
    "stderr",
  );
});

/** A target that can be killed: it tells of connections that come and go. */
const TARGET = `
  require("node:net").createServer((socket) => {
    console.log("open");
    socket.on("data", (chunk) => socket.write(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => console.log("closed"));
  }).listen(0, "127.0.0.1", function () { console.log("port", this.address().port); })`;

const PARTS = ["hub", "target", "expose", "tunnel"] as const;

for (const victim of PARTS) {
  test(`kill -9 of the ${victim}: every connection is over`, async () => {
    await using target = new Running(process.execPath, ["-e", TARGET]);
    const [, targetPort] = await target.prints(/^port (\d+)$/m);
    await using served = start(["serve", "--http", "off", "--listen", "tcp://127.0.0.1:0"]);
    const [, url = ""] = await served.prints(/^ {2}workers {2}(\S+)$/m);
    await using exposed = await expose(["db.main", `127.0.0.1:${targetPort}`], { LINTEL_HUB: url });
    const [tunneled, at] = await tunnel(["--subject", "db.main"], { LINTEL_HUB: url });
    await using _ = tunneled;
    const clients = [await dial(at), await dial(at)];
    await Promise.all(clients.map(lineEcho));
    await target.prints(/open\n(.*\n)*open/);
    const parts = { hub: served, target, expose: exposed, tunnel: tunneled };
    parts[victim].child.kill("SIGKILL");
    // The system ends what a killed target sends; a client that hears of the end leaves.
    await Promise.all(clients.map((client) => client.until(() => client.hasEnded || client.isClosed)));
    for (const { socket } of clients) socket.end();
    await Promise.all(clients.map((client) => client.closed()));
    if (victim !== "target") await target.prints(/closed\n(.*\n)*closed/);
    await parts[victim].ended; // until then the system may still take connections in its name
    if (victim !== "hub" && victim !== "tunnel") {
      const late = await dial(at);
      await late.closed();
      const reason = victim === "target" ? "TARGET_UNREACHABLE" : "NO_RESPONDERS";
      await tunneled.prints(new RegExp(`: ${reason}: `), "stderr");
    }
  });
}
