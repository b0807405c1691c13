/** Services in Python, by interop/python/lintel_text.py, and a hub. */
import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { AddressInfo } from "node:net";
import type { Readable, Writable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { WebSocketServer } from "ws";
import type { Hub } from "../../src/index.ts";
import { connectText, type TextPeer } from "../../src/text/node.ts";
import { decodeText, encodeText, isMalformed } from "../../src/text/message.ts";
import { seededRandom } from "../gateway/jobs/random.ts";
import { CLIENT, SERVICE, textHub } from "../gateway/text/raw-text.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { until } from "../house/until.ts";
import { pair } from "../transport/certificates.ts";

type Python = ChildProcessByStdio<Writable, Readable, null>;

function python(...args: string[]): Python {
  return spawn("python3", [`${root}/test/interop/text_service.py`, ...args], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, PYTHONPATH: `${root}/interop/python` },
  });
}

async function end(child: Python | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

before(() => provide("python3"));

describe("a service in Python", () => {
  let hub: Hub;
  let service: Python;
  let client: TextPeer;
  const said: string[] = [];

  before(async () => {
    hub = await textHub();
    service = python(hub.textUrl!, SERVICE);
    createInterface(service.stdout).on("line", (line) => said.push(line));
    client = await connectText(hub.textUrl!, { key: CLIENT, onError: () => undefined });
    await until(() => said.includes("started"));
    while (!(await isThere())); // its commands have been executed
  });
  after(async () => {
    client?.close();
    await end(service);
    await hub?.close();
  });

  const isThere = (): Promise<boolean> =>
    ask("say").then(
      () => true,
      () => false,
    );

  const ask = (cmd: string, body = "", headers: Record<string, string> = {}) =>
    client.request("Echo", body, { headers: { cmd, ...headers } });

  test("the class name is the target, cmd the method, and the headers of the request come back", async () => {
    const { body, headers } = await ask("say", "hello", { "X-Mine": "kept" });
    assert.deepEqual([body, headers.get("X-Mine"), headers.get("cmd")], ["hello", "kept", "say"]);
    const later = await ask("later", "hello", { "Content-Type": "application/json" });
    assert.deepEqual([later.body, later.headers.get("x-seen")], ["HELLO", "yes"]);
    assert.deepEqual(later.headers.getAll("content-type"), ["text/plain"]);
    assert.equal(await hub.request("Echo", "native", { headers: { cmd: "say" } }), "native");
  });

  test("every body comes back as it was, also a large one", async () => {
    for (const body of ["", ".", "..\n.\n", "a\r\nb\nc\r", "\r\n.\r\n", "é👋\0", "x".repeat(900_000)])
      assert.equal((await ask("say", body)).body, body);
  });

  test("errors: with the code of the method, without secrets, and for what there is not", async () => {
    await assert.rejects(ask("refuse"), { code: "not_found", message: "no milk left" });
    await assert.rejects(ask("crash"), { code: "internal", message: "the service failed" });
    await assert.rejects(ask("split"), { code: "internal", message: "the service failed" });
    for (const cmd of ["none", "", "a b", "_call"]) await assert.rejects(ask(cmd), { code: "unimplemented" });
  });

  test("it hears what is published to it, sets users, and is told of requests that are withdrawn", async () => {
    const answers: string[] = [];
    const listener = await connectText(hub.textUrl!, { key: SERVICE });
    listener.subscribe("answers", ({ body }) => answers.push(body));
    await listener.request("nobody").catch(() => undefined); // it has subscribed
    await ask("name", "ada");
    assert.equal((await ask("who")).body, `${client.guid} ada`);
    client.publish("Echo", "", { cmd: "crash" });
    client.publish("Echo", "1", { cmd: "news" });
    await until(() => answers.length > 0);
    assert.deepEqual(answers, ["heard 1 from ada"]);
    listener.close();
    await assert.rejects(client.request("Echo", "", { headers: { cmd: "stuck" }, timeout: 100 }), {
      reason: "DEADLINE",
    });
    await until(() => said.includes("canceled"));
  });

  test("the hub goes and comes back: so does the service, also for what it was doing", async () => {
    const stuck = assert.rejects(ask("stuck"));
    await until(() => said.filter((line) => line === "stuck").length === 2);
    const listen = Number(new URL(hub.textUrl!).port);
    await hub.close();
    await stuck;
    await until(() => said.filter((line) => line === "canceled").length === 2);
    hub = await textHub({ text: { listen } });
    await until(() => client.state === "connected" && said.filter((line) => line === "started").length === 2);
    while (!(await isThere()));
    assert.equal((await ask("say", "again")).body, "again");
  });
});

test("a key that is refused ends it, with the reason", async () => {
  await using hub = await textHub();
  const child = python(hub.textUrl!, "wrong");
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const { value } = (await lines.next()) as { value: string };
  assert.match(value, /^refused the server refuses the key: ./);
  await end(child);
});

test("it dials TLS", async () => {
  await using hub = await textHub({ text: { listen: 0, tls: pair("server") } });
  const child = python(hub.textUrl!, SERVICE, `${root}/test/certificates/authority.pem`);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  assert.deepEqual(await lines.next(), { done: false, value: "started" });
  await end(child);
});

test("a server that has become silent is left, and dialed again; one that answers pings is not", async () => {
  for (const autoPong of [false, true]) {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", autoPong });
    await once(server, "listening");
    let connections = 0;
    let pings = 0;
    server.on("connection", (socket) => {
      connections++;
      socket.on("ping", () => pings++);
      socket.once("message", () => {
        socket.send("MM OK");
        socket.send("0".repeat(20));
      });
    });
    const child = python(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, "key", "silence", "0.1");
    await until(() => (autoPong ? pings >= 3 : connections >= 2));
    if (autoPong) assert.equal(connections, 1);
    await end(child);
    server.close();
  }
});

test("it reads and writes frames as the hub does", async () => {
  const child = python("vectors");
  const seed = Math.trunc(Math.random() * 2 ** 32);
  const random = seededRandom(seed);
  const pieces = ["\r\n", "\n", "\r\n\r\n", "\r\n.\r\n", "\r", ".", "a:b", ":", "é", " ", "PUB K", "x"];
  const frames = Array.from({ length: 3_000 }, (_, index) => {
    const body = Array.from(
      { length: Math.trunc(random() * 9) },
      () => pieces[Math.trunc(random() * pieces.length)],
    );
    if (index % 2 === 0) return `PUB K\r\na:b\n${body.join("")}\r\n.\r\n`;
    return encodeText({ command: "PUB", target: "two words", headers: [["A", " b"]], body: body.join("") });
  });
  child.stdin.end(frames.map((frame) => `${Buffer.from(frame).toString("hex")}\n`).join(""));
  let index = 0;
  for await (const line of createInterface(child.stdout)) {
    const frame = frames[index++]!;
    const message = decodeText(frame);
    const where = `seed ${seed}: ${JSON.stringify(frame)}`;
    if (isMalformed(message)) assert.match(line, /^malformed /, where);
    else assert.equal(Buffer.from(line, "hex").toString(), encodeText(message), where);
  }
  assert.equal(index, frames.length);
});
