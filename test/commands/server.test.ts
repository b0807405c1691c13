/** A server of commands, spoken to with raw bytes over WebSocket and TCP. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { hostname } from "node:os";
import { connect as tlsConnect } from "node:tls";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { connectCommands } from "../../src/commands/node.ts";
import { CommandError } from "../../src/commands/error.ts";
import { AUTHORITY, TRUSTING, pair } from "../transport/certificates.ts";
import { tcpCommands, webCommands, type RawCommands } from "./raw-commands.ts";
import { serve, startServer, type Serving } from "./serving.ts";

const LINES: readonly (readonly [string, (place: Serving) => Promise<RawCommands>])[] = [
  ["ws", ({ ws }) => webCommands(ws)],
  ["tcp", ({ tcp }) => tcpCommands(tcp)],
];

for (const [name, open] of LINES) {
  describe(`over ${name}`, () => {
    test("the built-in actions, and one that is not there", async () => {
      await using client = await open(await serve());
      const before = Date.now();
      client.send({ key: "1", action: "drs.ping" }, { key: "2", action: "drs.kaboom" }, { action: "what" });
      const [ping, kaboom, what] = await client.take(3);
      assert.deepEqual({ ...ping, body: undefined }, { key: "1", action: "drs.response", body: undefined });
      assert.ok(
        Number.isInteger(ping!.body) && Number(ping!.body) >= before && Number(ping!.body) <= Date.now(),
      );
      assert.deepEqual(kaboom, { key: "2", action: "drs.exception", body: { message: "kaboom" } });
      assert.deepEqual(what, { action: "drs.error", body: { message: "No handlers for what" } });
    });

    test("commands split and joined anywhere, each answered by a text of its own that ends in a line feed", async () => {
      const place = await serve();
      place.server.on("echo", ({ body }) => body);
      await using client = await open(place);
      const stream = Buffer.from(
        '{"action":"echo","body":"ü}{"} {"action":"echo","body":[1,{"a":"\\\\"}]}\n{"action":"echo","body":0}',
      );
      for (const at of [1, 27, 28, 40]) {
        client.write(stream.subarray(0, at));
        client.write(stream.subarray(at));
      }
      const replies = await client.take(12);
      assert.deepEqual(
        replies.slice(9).map(({ body }) => body),
        ["ü}{", [1, { a: "\\" }], 0],
      );
      assert.ok(client.texts.every((text) => text.endsWith("\n")));
    });

    test("numbers stay exact", async () => {
      const place = await serve();
      place.server.on("echo", ({ body }) => body);
      await using client = await open(place);
      const numbers = "[12345678901234567890,-9007199254740993,0.1234567890123456789,1e400,1.5,0]";
      client.write(`{"action":"echo","key":"k","body":${numbers}}`);
      await client.take(1);
      assert.equal(client.texts.join(""), `{"key":"k","action":"drs.response","body":${numbers}}\n`);
    });

    test("a body of a megabyte, there and back", async () => {
      const place = await serve();
      place.server.on("echo", ({ body }) => body);
      await using client = await open(place);
      const body = "é".repeat(524_288);
      client.send({ action: "echo", body });
      assert.equal((await client.take(1))[0]!.body, body);
    });

    test("the server calls the client that has called it, and only that one can answer", async () => {
      const place = await serve();
      place.server.on("back", ({ body, connection }) => connection.call("client.ask", body));
      await using client = await open(place);
      await using other = await open(place);
      client.send({ key: "k", action: "back", body: 7 });
      const [asked] = await client.take(1);
      assert.match(String(asked!.key), /^[-0-9A-Z_a-z]{20}$/);
      assert.deepEqual({ ...asked, key: "" }, { key: "", action: "client.ask", body: 7 });
      other.send(
        { key: asked!.key, action: "drs.response", body: "stolen" },
        { key: "p", action: "drs.ping" },
      );
      await other.take(1);
      client.send({ key: asked!.key, action: "drs.response", body: "mine" });
      assert.deepEqual(await client.take(1), [{ key: "k", action: "drs.response", body: "mine" }]);
    });

    test("a call of the server ends when the client goes", async () => {
      const place = await serve();
      const failed = new Promise<CommandError>((resolve) =>
        place.server.onConnect((connection) => void connection.call("x").catch(resolve)),
      );
      const client = await open(place);
      await client.take(1);
      client.destroy();
      assert.equal((await failed).reason, "CONNECTION_LOST");
    });

    test("a broadcast reaches every connection, without a key", async () => {
      const place = await serve();
      place.server.on("cast", ({ body }) => void place.server.broadcast("news", body));
      await using one = await open(place);
      await using other = await open(place);
      other.send({ action: "drs.ping" });
      await other.take(1);
      one.send({ key: "k", action: "cast", body: { a: 1 } });
      assert.deepEqual(await one.take(2), [
        { action: "news", body: { a: 1 } },
        { key: "k", action: "drs.response" },
      ]);
      assert.deepEqual(await other.take(1), [{ action: "news", body: { a: 1 } }]);
    });

    test("what is no command ends the connection", async () => {
      const place = await serve();
      for (const text of ["[]", "GET / HTTP/1.1\r\n\r\n", '{"action":', "null"]) {
        await using client = await open(place);
        client.write(text === '{"action":' ? '{"action":}' : text);
        await client.end;
      }
    });

    test("connect and disconnect are told, and each connection has a cache", async () => {
      const place = await serve();
      const told: string[] = [];
      const gone = new Promise<void>((resolve) =>
        place.server
          .onConnect(({ cache }) => void cache.set("name", `client ${told.push("connect")}`))
          .onDisconnect(({ cache }) => {
            told.push(`disconnect ${String(cache.get("name"))}`);
            if (told.length === 4) resolve();
          }),
      );
      place.server.on("name", ({ connection }) => connection.cache.get("name"));
      const one = await open(place);
      one.send({ action: "name" });
      assert.equal((await one.take(1))[0]!.body, "client 1");
      const two = await open(place);
      two.send({ action: "name" });
      assert.equal((await two.take(1))[0]!.body, "client 2");
      assert.equal(place.server.connections.size, 2);
      one.destroy();
      two.destroy();
      await gone;
      assert.deepEqual(told.toSorted(), ["connect", "connect", "disconnect client 1", "disconnect client 2"]);
      assert.equal(place.server.connections.size, 0);
    });

    test("close ends connections after the replies to what is under way", async () => {
      const place = await serve();
      let finish: ((body: string) => void) | undefined;
      place.server.on("slow", () => new Promise((resolve) => (finish = resolve)));
      const client = await open(place);
      client.send({ key: "k", action: "slow" }, { action: "drs.ping" });
      await client.take(1);
      const closed = place.server.close();
      client.send({ key: "l", action: "slow" });
      const [refused] = await client.take(1);
      assert.deepEqual([refused!.key, refused!.action], ["l", "drs.exception"]);
      finish!("done");
      assert.deepEqual(await client.take(1), [{ key: "k", action: "drs.response", body: "done" }]);
      await client.end;
      await closed;
      await assert.rejects(open(place));
    });
  });
}

test("binary frames are part of the stream, and the query is there", async () => {
  const { server, ws } = await serve();
  server.on("who", ({ connection }) => connection.query.get("name"));
  await using client = await webCommands(`${ws}?name=Ada%20L&x=1`);
  client.socket.send(Buffer.from('{"acti'));
  client.socket.send('on":"who"}');
  assert.equal((await client.take(1))[0]!.body, "Ada L");
});

test("a client that stops sending gets the replies to come", async () => {
  const { server, tcp } = await serve();
  let finish: (() => void) | undefined;
  server.on("later", () => new Promise((resolve) => (finish = () => resolve("done"))));
  const { hostname: host, port } = new URL(tcp);
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  socket.end('{"action":"later"}{"action":"drs.ping"}');
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    if (finish !== undefined) finish();
  });
  await once(socket, "end");
  socket.destroy();
  assert.match(text, /"body":"done"/);
});

test("stats count both directions", async () => {
  const { server, ws, stats } = await serve();
  server.on("fail", () => {
    throw new CommandError("nope");
  });
  server.on("back", ({ connection }) => connection.call("client.ask"));
  server.on("slow", () => new Promise(() => undefined));
  await using client = await webCommands(ws);
  client.send(
    { action: "fail" },
    { action: "drs.kaboom" },
    { action: "drs.ping" },
    { action: "x" },
    { action: "slow" },
  );
  client.send({ action: "back" });
  const [, , , , asked] = await client.take(5);
  client.send({ key: asked!.key, action: "drs.error", body: {} });
  await client.take(1);
  const response = await fetch(stats);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(await response.json(), {
    hostname: hostname(),
    connections: { inbound: 1 },
    commands: {
      fail: { errors: 1, exceptions: 0, success: 0 },
      "drs.kaboom": { errors: 0, exceptions: 1, success: 0 },
      "drs.ping": { errors: 0, exceptions: 0, success: 1 },
      "*": { errors: 1, exceptions: 0, success: 0 },
      "client.ask": { errors: 1, exceptions: 0, success: 0 },
      back: { errors: 1, exceptions: 0, success: 0 },
    },
    functions: 1,
  });
  assert.equal((await fetch(stats, { method: "POST" })).status, 405);
  assert.equal((await fetch(stats.replace(/stats$/, "other"))).status, 404);
});

test("pages of other origins, and other names, are refused", async () => {
  const { ws, stats } = await serve({ origins: ["https://app.example.com"] });
  const statusOf = async (headers: Record<string, string>): Promise<number> => {
    const socket = new WebSocket(ws, { headers });
    return new Promise((resolve, reject) => {
      socket.on("error", () => undefined);
      socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
      socket.on("open", () => {
        socket.terminate();
        resolve(101);
      });
      setTimeout(reject, 5000).unref();
    });
  };
  assert.equal(await statusOf({ origin: "https://evil.example" }), 403);
  assert.equal(await statusOf({ origin: "null" }), 403);
  assert.equal(await statusOf({ host: "evil.example" }), 403);
  assert.equal(await statusOf({ origin: "https://app.example.com" }), 101);
  assert.equal((await fetch(stats, { headers: { origin: "https://evil.example" } })).status, 403);
});

test("a server without authentication listens on this machine only", async () => {
  const server = startServer();
  await assert.rejects(server.listen({ ws: "0.0.0.0:0" }), { reason: "INSECURE_LISTEN" });
  await assert.rejects(server.listen({ tcp: "0.0.0.0:0" }), { reason: "INSECURE_LISTEN" });
  await assert.rejects(server.listen({ tcp: "nonsense" }), { code: "invalid_argument" });
  const open = startServer({ insecure: true });
  assert.match((await open.listen({ tcp: "0.0.0.0:0" })).tcp!, /^tcp:\/\/0\.0\.0\.0:\d+$/);
});

test("with certificates: wss and tls, and others for the connections to come", async () => {
  const { server, ws, tcp, stats } = await serve({ tls: pair("server") });
  server.on("echo", ({ body }) => body);
  assert.deepEqual(
    [ws, tcp, stats].map((url) => url.slice(0, url.indexOf(":"))),
    ["wss", "tls", "https"],
  );
  const serialsNow = async (): Promise<string[]> => {
    const serials: string[] = [];
    for (const url of [ws, tcp]) {
      await using client = await connectCommands(url, { tls: TRUSTING, clockSync: false });
      assert.equal(await client.call("echo", url), url);
      const { hostname: host, port } = new URL(url);
      const socket = tlsConnect({ host, port: Number(port), ca: AUTHORITY });
      await once(socket, "secureConnect");
      serials.push(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    }
    return serials;
  };
  const before = await serialsNow();
  assert.throws(() => server.reload({ cert: "nonsense", key: "nonsense" }), TypeError);
  assert.deepEqual(await serialsNow(), before);
  server.reload(pair("renewed"));
  const renewed = await serialsNow();
  assert.ok(renewed.every((serial, index) => serial !== before[index]));
});

test("a callback of connect that fails refuses the connection", async () => {
  const { server, ws } = await serve();
  server.onConnect(() => Promise.reject(new Error("not you")));
  await using client = await webCommands(ws);
  assert.equal((await client.end).code, 1008);
});

test("connections past the bound are told to come later", async () => {
  const { ws } = await serve({ maxConnections: 1 });
  await using first = await webCommands(ws);
  await using second = await webCommands(ws);
  assert.equal((await second.end).code, 1013);
  first.send({ action: "drs.ping" });
  await first.take(1);
});

test("a client that does not read is held back, then given up; others go on", async () => {
  const { server, tcp } = await serve({ stallTimeout: 100 });
  server.on("fill", () => "x".repeat(1_000_000));
  const { hostname: host, port } = new URL(tcp);
  const lazy = connect({ host, port: Number(port) }).pause();
  lazy.on("error", () => undefined);
  const ended = new Promise<Error | undefined>((resolve) => server.onDisconnect((_, why) => resolve(why)));
  lazy.write('{"action":"fill"}'.repeat(40));
  await using other = await tcpCommands(tcp);
  other.send({ action: "drs.ping" });
  await other.take(1);
  assert.match(String(await ended), /does not read/);
  lazy.destroy();
});

test("a subscriber that does not read its broadcasts is given up; others get theirs", async () => {
  const { server, tcp } = await serve({ stallTimeout: 100 });
  const { hostname: host, port } = new URL(tcp);
  const lazy = connect({ host, port: Number(port) }).pause();
  lazy.on("error", () => undefined);
  await using other = await tcpCommands(tcp);
  other.send({ action: "drs.ping" });
  await other.take(1);
  const ended = new Promise<Error | undefined>((resolve) => server.onDisconnect((_, why) => resolve(why)));
  const body = "x".repeat(100_000);
  let count = 0;
  for (let isOver = false; !isOver; count++) {
    server.broadcast("news", body);
    assert.deepEqual(await other.take(1), [{ action: "news", body }]);
    isOver = server.connections.size === 1;
  }
  assert.match(String(await ended), /does not read/);
  assert.ok(count > 3);
  lazy.destroy();
});

test("a child process is a connection like any other", async () => {
  const server = startServer();
  const program = `
    process.stdout.write('{"key":"k","action":"from.child","body":1');
    process.stdin.on("data", (chunk) => {
      for (const line of String(chunk).trim().split("\\n")) {
        const { key, action, body } = JSON.parse(line);
        if (action === "to.child") process.stdout.write(JSON.stringify({ key, action: "drs.response", body: body + 1 }));
      }
    });
    process.stdin.on("end", () => process.exit(0));
    process.stdout.write('}');`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const asked = new Promise((resolve) => server.on("from.child", ({ body }) => resolve(body)));
  const peer = server.attach(child);
  assert.equal(await asked, 1);
  assert.equal(await peer.call("to.child", 41), 42);
  await server.close();
  assert.deepEqual(await exit, [0, null]);
});
