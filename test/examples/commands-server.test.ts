/** The server of commands, run as it is, and spoken to by a client in another language that knows only the protocol. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Running } from "../cli/cli-process.ts";
import { tcpCommands, webCommands } from "../commands/raw-commands.ts";
import { pathOf } from "../house/provide.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

function server(...args: string[]): Running {
  return new Running(process.execPath, ["examples/commands-server.js", ...args], { cwd: ROOT });
}

async function addressesOf(running: Running): Promise<{ ws: string; tcp: string }> {
  const [, ws = ""] = await running.prints(/^ws (ws:\/\/127\.0\.0\.1:\d+\/socket)$/m);
  const [, tcp = ""] = await running.prints(/^tcp (tcp:\/\/127\.0\.0\.1:\d+)$/m);
  return { ws, tcp };
}

test("a client in Python has every action, over WebSocket and TCP", async () => {
  await using running = server("--ws", "127.0.0.1:0", "--tcp", "127.0.0.1:0");
  const { ws, tcp } = await addressesOf(running);
  const script = `${ROOT}test/examples/commands_client.py`;
  const client = spawn(pathOf("python3"), [script, ws, tcp], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, errors] = await Promise.all([text(client.stdout), text(client.stderr)]);
  assert.deepEqual([out, errors], ["ok\n", ""]);
  const { exit, stderr } = await running.stop("SIGTERM");
  assert.equal(exit, 0);
  assert.match(stderr, /this handler always crashes/, "its own log says what callers are not told");
});

test("SIGTERM ends it, and every connection with it", async () => {
  await using running = server("--ws", "127.0.0.1:0", "--tcp", "127.0.0.1:0");
  const { ws, tcp } = await addressesOf(running);
  const clients = [await webCommands(ws), await tcpCommands(tcp)];
  for (const client of clients) {
    client.send({ action: "drs.ping" });
    await client.take(1);
  }
  const { exit, stderr } = await running.stop("SIGTERM");
  assert.deepEqual([exit, stderr], [0, ""]);
  const [web] = await Promise.all(clients.map(({ end }) => end));
  assert.equal(web!.code, 1001);
});

test("help, and what it cannot do, in words", async () => {
  const help = await server("--help").ended;
  assert.equal(help.exit, 0);
  assert.match(help.stdout, /--ws HOST:PORT/);
  await using first = server("--tcp", "127.0.0.1:0");
  const [, address = ""] = await first.prints(/^tcp tcp:\/\/(.*)$/m);
  for (const args of [["--tcp", address], ["--ws", "0.0.0.0:0"], ["--ws", "nonsense"], ["--what"]]) {
    const { exit, stdout, stderr } = await server(...args).ended;
    assert.deepEqual([exit, stdout], [1, ""], args.join(" "));
    assert.match(stderr, /EADDRINUSE|insecure|HOST:PORT|--what/, args.join(" "));
  }
});
