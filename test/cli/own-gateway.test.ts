/** A gateway that the config file names, in the commands that start a hub; and a tunnel, which comes along. */
import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { blocksOf, readDocument } from "../docs/markdown.ts";
import { root } from "../house/root.ts";
import { start, type Running } from "./cli-process.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(root, "build", "own-gateway-")); // where "lintel/gateway" is found
  await cp(join(root, "examples", "line-gateway.js"), join(directory, "line-gateway.js"));
});
after(() => rm(directory, { recursive: true }));

/** What a line is answered with. */
async function ask(url: string, line: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1").setEncoding("utf8");
  socket.write(`${line}\n`);
  const [answer] = (await once(socket, "data")) as [string];
  socket.destroy();
  return answer;
}

async function urlOf(hub: Running, name: string): Promise<string> {
  const [, url = ""] = await hub.prints(new RegExp(`^ {2}${name.padEnd(8)} (\\S+)$`, "m"));
  return url;
}

test("serve opens the gateway of the guide's file, prints its URL, and drains it", async () => {
  const block = blocksOf(readDocument("docs/guides/gateways.md")).find(
    ({ mark }) => mark === "config: lines",
  );
  const source = `http: false\nlisten: [tcp://127.0.0.1:0]\n${block!.text.replace("7000", "0")}\n`;
  await writeFile(join(directory, "lintel.yaml"), source);
  await using hub = start(["serve"], { cwd: directory });
  const workers = await urlOf(hub, "workers");
  const lines = await urlOf(hub, "lines");
  assert.match(lines, /^lines:\/\/127\.0\.0\.1:\d+$/);
  await using worker = start(["work", "greet", "--hub", workers, "--", "cat"]);
  await worker.prints(/serving greet/, "stderr");
  assert.equal(await ask(lines, 'greet {"name":"Ada"}'), '{"name":"Ada"}\n');
  assert.equal((await hub.stop("SIGTERM")).exit, 0);
});

test("serve --log json says where each gateway is", async () => {
  const tunnels = "[{ listen: 0, subject: db.one }, { listen: 0, subject: db.two }]";
  const source = `{ http: false, listen: [], gateways: [./line-gateway.js], tunnel: ${tunnels} }`;
  await writeFile(join(directory, "json.yaml"), source);
  await using hub = start(["serve", "--log", "json", "--config", "json.yaml"], { cwd: directory });
  const [line] = await hub.prints(/^.*"listening".*$/m);
  const { listen, lines, tunnel } = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual(listen, []);
  assert.match(String(lines), /^lines:\/\/127\.0\.0\.1:\d+$/);
  assert.ok(Array.isArray(tunnel) && tunnel.length === 2);
  assert.equal((await hub.stop("SIGTERM")).exit, 0);
});

test("a tunnel of the file leads to what is exposed", async () => {
  await writeFile(
    join(directory, "lines.yaml"),
    "{ http: false, listen: [], gateways: [./line-gateway.js] }",
  );
  const source = "{ http: false, listen: [tcp://127.0.0.1:0], tunnel: { listen: 0, subject: far.lines } }";
  await writeFile(join(directory, "tunnel.yaml"), source);
  await using far = start(["serve", "--config", "lines.yaml"], { cwd: directory });
  await using near = start(["serve", "--config", "tunnel.yaml"], { cwd: directory });
  const target = new URL(await urlOf(far, "lines")).host;
  const hub = await urlOf(near, "workers");
  await using exposure = start(["expose", "far.lines", target, "--hub", hub]);
  await exposure.prints(/exposing/, "stderr");
  const answer = await ask(await urlOf(near, "tunnel"), "nobody").catch((cause: unknown) => {
    throw new Error(`no answer: ${near.stderr}${exposure.stderr}`, { cause });
  });
  assert.equal(answer, "! NO_RESPONDERS\n");
});
