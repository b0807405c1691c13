/** `lintel/commands` in Node, by the name under which programs import it, with servers in this process and in programs. */
import assert from "node:assert/strict";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import type * as node from "../../../src/commands/node.ts";
import { createCommandServer, type CommandServer } from "../../../src/commands/server/server.ts";
import type { CommandServerOptions } from "../../../src/commands/server/options.ts";
import { refusalOf } from "../../house/refusal.ts";
import { until } from "../../house/until.ts";
import { TRUSTING, pair } from "../../transport/certificates.ts";

const NAME = "lintel/commands";
const { connectCommands, connectCommandRouter, CommandError, JsonNumber } = (await import(
  NAME
)) as typeof node;

const PROGRAM = new URL("server-process.js", import.meta.url).pathname;

const servers: CommandServer[] = [];
after(() => Promise.all(servers.map((server) => server.close({ timeout: 0 }))));

interface Place {
  readonly server: CommandServer;
  readonly ws: string;
  readonly tcp: string;
}

async function serve(options: CommandServerOptions = {}, ws = 0, tcp = 0): Promise<Place> {
  const server = createCommandServer({ onError: () => undefined, ...options });
  servers.push(server);
  server.on("echo", ({ body }) => body);
  server.on("back", ({ connection, body }) => connection.call("client.ask", body));
  server.on("slow", () => new Promise(() => undefined));
  const urls = await server.listen({ ws: `127.0.0.1:${ws}`, tcp: `127.0.0.1:${tcp}` });
  return { server, ws: urls.ws!, tcp: urls.tcp! };
}

/** Checks that both ends can call each other, with every kind of value. */
async function works(client: node.CommandClient): Promise<void> {
  client.on("client.ask", ({ body }) => ["asked", body]);
  const body = { text: 'a "quoted" \u2028 ü \u{1f600}\n', list: [0, -0.5, null, true, {}], nothing: null };
  assert.deepEqual(await client.call("echo", body), body);
  assert.deepEqual(await client.call("back", 0), ["asked", 0]);
  assert.equal(await client.call("echo"), undefined);
  const long = "x".repeat(400_000);
  assert.equal(await client.call("echo", long), long);
  assert.equal(await client.call("echo", 12345678901234567890n), 12345678901234567890n);
  const digits = await client.call("echo", new JsonNumber("0.1234567890123456789"));
  assert.equal(String(digits), "0.1234567890123456789");
  const many = await Promise.all(Array.from({ length: 300 }, (_, index) => client.call("echo", index)));
  assert.deepEqual(many, [...many.keys()]);
  await assert.rejects(client.call("nope"), (error: unknown) => {
    assert.ok(error instanceof CommandError);
    assert.equal(error.message, "No handlers for nope");
    return true;
  });
  await assert.rejects(client.call("slow", null, { timeout: 20 }), { reason: "DEADLINE" });
  await assert.rejects(client.call("slow", null, { signal: AbortSignal.timeout(20) }), {
    name: "TimeoutError",
  });
}

test("Node gets the client that has Node's sockets", () => {
  assert.match(import.meta.resolve(NAME), /\/dist\/commands\/node\.js$/);
  assert.match(import.meta.resolve("lintel/browser/commands.js"), /\/dist\/browser\/commands\.js$/);
});

describe("a client of the server", () => {
  test("over WebSocket and TCP", async () => {
    const { ws, tcp } = await serve();
    for (const url of [ws, tcp]) {
      await using client = await connectCommands(url);
      await works(client);
    }
  });

  test("ends calls at their deadline, and by their signal", async () => {
    const { ws } = await serve();
    await using client = await connectCommands(ws);
    await assert.rejects(client.call("slow", null, { timeout: 20 }), { reason: "DEADLINE" });
    await assert.rejects(client.call("slow", null, { signal: AbortSignal.timeout(20) }), {
      name: "TimeoutError",
    });
    await assert.rejects(client.call("slow", null, { signal: AbortSignal.abort() }), { name: "AbortError" });
  });

  test("over TLS", async () => {
    const { server, ws, tcp } = await serve({ tls: pair("server") });
    server.on("who", ({ connection }) => connection.query.get("room"));
    for (const url of [`${ws}?room=5`, tcp]) {
      assert.match(url, /^(wss|tls):/);
      await using client = await connectCommands(url, { tls: TRUSTING });
      assert.equal(await client.call("who"), url.startsWith("wss") ? "5" : undefined);
      const { reason, message } = await refusalOf((connectTimeout) =>
        connectCommands(url, { connectTimeout }),
      );
      assert.equal(reason, "NOT_CONNECTED");
      assert.match(message, /certificate/);
    }
  });

  test("knows the server's time", async () => {
    const { tcp } = await serve();
    await using client = await connectCommands(tcp);
    await until(() => client.maxClockError);
    assert.ok(Math.abs(client.now() - Date.now()) <= client.maxClockError! + 2);
  });

  test("shows its token, on TCP by a command, on WebSocket also in the URL", async () => {
    const { server, ws, tcp } = await serve({
      authenticate: (token, { cache }) => {
        if (token !== "good") return false;
        cache.set("user", "Ada");
        return undefined;
      },
    });
    server.on("who", ({ connection }) => connection.cache.get("user"));
    const ways: [string, "upgrade" | "query"][] = [
      [ws, "upgrade"],
      [ws, "query"],
      [tcp, "upgrade"],
    ];
    for (const [url, tokenIn] of ways) {
      await using client = await connectCommands(url, { token: () => "good", tokenIn });
      assert.equal(await client.call("who"), "Ada");
    }
    await assert.rejects(connectCommands(tcp, { token: "bad" }), {
      code: "unauthenticated",
      message: `${tcp} refuses the token: Token is not valid`,
    });
    await assert.rejects(connectCommands(tcp, { token: "good", tokenIn: "query" }), {
      code: "invalid_argument",
    });
    await using stranger = await connectCommands(tcp);
    await assert.rejects(stranger.call("who"), { message: "Authentication required" });
  });

  test("comes back when the server does, with its handlers and its token", async () => {
    const first = await serve({ authenticate: (token) => token === "good" });
    const port = Number(new URL(first.tcp).port);
    const events: string[] = [];
    await using client = await connectCommands(first.tcp, {
      token: "good",
      handlers: { "client.ask": () => "here" },
      onConnect: () => events.push("connect"),
      onDisconnect: () => events.push("disconnect"),
    });
    const lost = assert.rejects(client.call("slow"), { reason: "CONNECTION_LOST", retryable: false });
    await first.server.close({ timeout: 0 });
    await lost;
    await assert.rejects(client.call("echo"), { reason: "NOT_CONNECTED", retryable: true });
    await serve({ authenticate: (token) => token === "good" }, 0, port);
    assert.equal(await client.call("back", null, { retries: 100 }), "here");
    assert.deepEqual(events, ["connect", "disconnect", "connect"]);
  });

  test("says why there is no connection", async () => {
    const gone = createServer();
    await once(gone.listen(0, "127.0.0.1"), "listening");
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const { ws } = await serve();
    const cases: [string | node.CommandProgram, RegExp][] = [
      [`tcp://127.0.0.1:${port}`, /cannot connect to tcp:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED/],
      [`ws://127.0.0.1:${port}`, /ECONNREFUSED/],
      [ws.replace("/socket", "/elsewhere"), /404/],
      [{ program: "/no/such/program" }, /ENOENT/],
    ];
    for (const [server, why] of cases) {
      const { message } = await refusalOf((connectTimeout) => connectCommands(server, { connectTimeout }));
      assert.match(message, why);
    }
  });

  test("is refused for what is no URL of its kind", async () => {
    for (const url of [
      "http://127.0.0.1",
      "tcp://127.0.0.1",
      "ws://u:secret@127.0.0.1",
      "ws:///",
      "x",
      "wss://",
    ]) {
      await assert.rejects(connectCommands(url), (error: Error) => {
        assert.equal(error.name, "TypeError");
        assert.match(error.message, /is not of the form/);
        assert.ok(!error.message.includes("secret"));
        return true;
      });
    }
    await assert.rejects(connectCommands(5 as unknown as string), { code: "invalid_argument" });
  });
});

describe("a client of a program", () => {
  const program = { program: process.execPath, args: [PROGRAM] };

  test("calls it and is called, over its standard input and output", async () => {
    await using client = await connectCommands(program);
    await works(client);
  });

  test("starts it again when it ends", async () => {
    await using client = await connectCommands(program);
    const first = await client.call("pid");
    await assert.rejects(client.call("exit"), { reason: "CONNECTION_LOST", message: /connection was lost/ });
    const second = await client.call("pid", null, { retries: 100 });
    assert.notEqual(first, second);
  });

  test("ends it on close", async () => {
    const client = await connectCommands(program);
    const pid = Number(await client.call("pid"));
    await client.close();
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  });
});

describe("a router", () => {
  test("sends each action to the host of its rule, and avoids one that is down", async () => {
    const [orders, one, other] = await Promise.all([serve(), serve(), serve()]);
    for (const [name, { server }] of Object.entries({ orders, one, other })) {
      server.on("orders.create", () => name).on("where", () => name);
      server.on("back", ({ connection }) => connection.call("client.ask", name));
    }
    await using router = await connectCommandRouter(
      [
        { actions: "orders.>", hosts: orders.tcp },
        { actions: "nobody.*", hosts: [one.tcp] },
        { actions: ">", hosts: [one.ws, other.tcp] },
      ],
      { handlers: { "client.ask": ({ body }) => `asked by ${String(body)}` } },
    );
    await until(() => router.clients.every(({ maxClockError }) => maxClockError !== undefined)); // pings are calls, too
    assert.equal(await router.call("orders.create"), "orders");
    const where = [await router.call("where"), await router.call("where"), await router.call("where")];
    assert.deepEqual(where, where[0] === "one" ? ["one", "other", "one"] : ["other", "one", "other"]);
    assert.match(String(await router.call("back")), /asked by (one|other)/);
    assert.ok(Math.abs(router.now() - Date.now()) < 1_000);
    await other.server.close({ timeout: 0 });
    await until(() => router.clients.at(-1)!.state === "connecting");
    assert.deepEqual([await router.call("where"), await router.call("where")], ["one", "one"]);
    await orders.server.close({ timeout: 0 });
    await until(() => router.clients[0]!.state === "connecting");
    await assert.rejects(router.call("orders.create"), { reason: "NOT_CONNECTED", message: /the only host/ });
  });

  test("tries a call that crashed at another host", async () => {
    const [bad, good] = await Promise.all([serve(), serve()]);
    let crashes = 0;
    bad.server.on("work", () => {
      crashes++;
      throw new Error("crash");
    });
    good.server.on("work", () => "done");
    await using router = await connectCommandRouter([{ actions: ">", hosts: [bad.tcp, good.tcp] }], {
      retries: 1,
    });
    await until(() => router.clients.every(({ state }) => state === "connected"));
    for (let count = 0; count < 4; count++) assert.equal(await router.call("work"), "done");
    assert.ok(crashes > 0);
  });

  test("does not start without a host for each rule", async () => {
    const { tcp } = await serve();
    const rules = [
      { actions: "a", hosts: tcp },
      { actions: "b", hosts: { toString: () => "x" } as unknown as string },
    ];
    await assert.rejects(connectCommandRouter(rules), { code: "invalid_argument" });
    const gone = await serve();
    await gone.server.close();
    rules[1]!.hosts = gone.tcp;
    const { message } = await refusalOf((connectTimeout) => connectCommandRouter(rules, { connectTimeout }));
    assert.match(message, /ECONNREFUSED .*\(tried for/);
  });
});
