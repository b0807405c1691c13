import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { connect as connectTcp, type AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { createWsAcceptor } from "../../src/transport/ws/acceptor.ts";
import { ws, wss } from "../../src/transport/ws/transport.ts";
import type { Listener, ListenOptions } from "../../src/transport/transport.ts";
import { RawWebSocket } from "./raw-websocket.ts";

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly reason: string;
}

/** Asks for an upgrade with some headers changed, and takes the answer apart. */
async function ask(
  url: string,
  changed: Readonly<Record<string, string | undefined>> = {},
  line?: string,
): Promise<Answer> {
  const raw = await RawWebSocket.request(url, changed, line);
  const head = await raw.head();
  const status = Number(head.split(" ")[1]);
  if (status === 101) {
    raw.socket.destroy();
    return { status, head, reason: "" };
  }
  const body = (await raw.rest()).toString();
  assert.match(head, /\r\ncontent-type: application\/problem\+json\r\n/);
  const problem = JSON.parse(body) as { status: number; reason: string; type: string };
  assert.equal(problem.status, status);
  assert.equal(problem.type, `urn:lintel:${problem.reason}`);
  return { status, head, reason: problem.reason };
}

async function listen(options: ListenOptions = {}): Promise<Listener> {
  return ws.listen("ws://127.0.0.1:0/lintel", (connection) => void new ByteEnd(connection), options);
}

describe("ws: what is asked for", () => {
  let listener: Listener;
  before(async () => {
    listener = await listen();
  });
  after(() => listener.close());

  test("a handshake in order is taken, without an extension whatever is offered", async () => {
    const { status, head } = await ask(listener.url, {
      "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
    });
    assert.equal(status, 101);
    assert.match(head, /\r\nSec-WebSocket-Protocol: lintel\.v1\r\n/);
    assert.doesNotMatch(head, /extensions/i);
  });

  test("the subprotocol may be one of several, and must be among them", async () => {
    assert.equal((await ask(listener.url, { "Sec-WebSocket-Protocol": "chat, lintel.v1" })).status, 101);
    for (const offered of [undefined, "chat", "lintel.v2", "LINTEL.V1"]) {
      const { status, reason } = await ask(listener.url, { "Sec-WebSocket-Protocol": offered });
      assert.deepEqual([status, reason], [400, "BAD_REQUEST"], String(offered));
    }
  });

  test("another path is 404, with and without an upgrade; a query is no part of the path", async () => {
    const { origin } = new URL(listener.url.replace("ws:", "http:"));
    for (const path of ["/", "/lintel/", "/Lintel", "/%6Cintel", "//lintel"]) {
      assert.equal((await ask(listener.url, {}, `GET ${path} HTTP/1.1`)).status, 404, path);
      assert.equal((await fetch(`${origin}${path === "//lintel" ? "/x" : path}`)).status, 404, path);
    }
    assert.equal((await ask(listener.url, {}, "GET /lintel?a=b HTTP/1.1")).status, 101);
  });

  test("a request without an upgrade is 426 and says to what", async () => {
    for (const method of ["GET", "POST", "HEAD", "DELETE"]) {
      const response = await fetch(listener.url.replace("ws:", "http:"), { method });
      assert.equal(response.status, 426);
      assert.equal(response.headers.get("upgrade"), "websocket");
      if (method === "HEAD") continue;
      const { reason } = (await response.json()) as { reason: string };
      assert.equal(reason, "UPGRADE_REQUIRED");
    }
  });

  test("handshakes that are not in order are refused", async () => {
    assert.equal((await ask(listener.url, { Upgrade: "h2c" })).status, 426);
    for (const version of [undefined, "8", "12", "13, 8"]) {
      const { status, head } = await ask(listener.url, { "Sec-WebSocket-Version": version });
      assert.equal(status, 426, version);
      assert.match(head, /sec-websocket-version: 13\r\n/);
    }
    for (const key of [undefined, "short", "x".repeat(24)]) {
      assert.equal((await ask(listener.url, { "Sec-WebSocket-Key": key })).status, 400, key);
    }
    assert.equal((await ask(listener.url, {}, "POST /lintel HTTP/1.1")).status, 400);
  });

  test("a head over the limit ends the connection", async () => {
    const raw = await RawWebSocket.request(listener.url, { "X-Long": "x".repeat(20_000) });
    assert.match((await raw.rest()).toString(), /^HTTP\/1\.1 431 /);
  });
});

describe("ws: origins", () => {
  const FOREIGN = [
    "http://evil.example",
    "null",
    "",
    "http://127.0.0.1.evil.example",
    "http://evil.example/127.0.0.1",
    "file://",
    "chrome-extension://abcdef",
  ];

  test("by default pages of the same host may connect, and programs that send none", async () => {
    const listener = await listen();
    const { host, port } = new URL(listener.url);
    const status = async (origin: string | undefined, to: string = host): Promise<number> =>
      (await ask(listener.url, { Origin: origin, Host: to })).status;
    assert.equal(await status(undefined), 101);
    assert.equal(await status(`http://${host}`), 101);
    const behindProxy = await listen({ hosts: ["hub.example"] });
    for (const to of ["hub.example", "hub.example:443"]) {
      const headers = { Origin: "https://hub.example", Host: to };
      assert.equal((await ask(behindProxy.url, headers)).status, 101);
      assert.equal((await ask(listener.url, headers)).reason, "FOREIGN_HOST");
    }
    await behindProxy.close();
    for (const origin of [
      ...FOREIGN,
      `http://user@${host}`,
      `http://${host}/`,
      `HTTP://${host}`,
      `http://127.0.0.1`,
      `http://localhost:${port}`,
      `http://${host}, http://evil.example`,
    ]) {
      assert.equal(await status(origin), 403, origin);
    }
    assert.equal((await ask(listener.url, { Origin: "null" })).reason, "FOREIGN_ORIGIN");
    await listener.close();
  });

  test("a list says exactly which", async () => {
    const listener = await listen({ origins: ["https://app.example.com"] });
    const { host } = new URL(listener.url);
    const status = async (origin: string | undefined): Promise<number> =>
      (await ask(listener.url, { Origin: origin })).status;
    assert.equal(await status(undefined), 101);
    assert.equal(await status("https://app.example.com"), 101);
    for (const origin of [
      ...FOREIGN,
      `http://${host}`,
      "https://app.example.com.evil.example",
      "http://app.example.com",
    ]) {
      assert.equal(await status(origin), 403, origin);
    }
    await listener.close();
  });

  test("a star lets every page in; what a browser never sends is refused at start", async () => {
    const listener = await listen({ origins: ["*"] });
    assert.equal((await ask(listener.url, { Origin: "http://evil.example" })).status, 101);
    await listener.close();
    for (const origin of ["app.example.com", "https://app.example.com/", "https://*.example.com", ""]) {
      await assert.rejects(listen({ origins: [origin] }), TypeError, origin);
    }
  });
});

describe("ws: dialing", () => {
  test("URLs that carry more than a place are refused with the form they must have", async () => {
    for (const url of ["ws://a:b@h:1/", "ws://h:1/?key=1", "ws://h:1/#f", "ws:", "wss://h:1"]) {
      await assert.rejects(ws.dial(url), /ws:\/\/HOST:PORT\/PATH/, url);
    }
    await assert.rejects(wss.dial("ws://h:1"), /wss:\/\/HOST:PORT\/PATH/);
    await assert.rejects(ws.dial("ws://h:1", { tls: {} }), /does not support the option "tls"/);
  });

  test("an answer that is no upgrade rejects with its status and detail", async () => {
    const listener = await listen();
    await assert.rejects(
      ws.dial(listener.url.replace("lintel", "other")),
      /404 Not Found: there is nothing at/,
    );
    await listener.close();
  });

  test("a server that says nothing is given up in time", async () => {
    const server = createServer()
      .on("upgrade", () => undefined)
      .listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await assert.rejects(ws.dial(`ws://127.0.0.1:${port}`, { timeoutMs: 30 }), /within 30 ms/);
    server.close();
    server.closeAllConnections();
  });

  test("who does not finish the handshake is cut off", async () => {
    const listener = await listen({ handshakeTimeoutMs: 50 });
    const { port } = new URL(listener.url);
    for (const beginning of ["", "GET /lintel HTTP/1.1\r\nUpgrade: webs"]) {
      const raw = new RawWebSocket(connectTcp(Number(port), "127.0.0.1"));
      raw.socket.write(beginning);
      await raw.rest();
    }
    await listener.close();
  });

  test("closing the listener drops those that are no WebSockets yet", async () => {
    const listener = await listen();
    const { port } = new URL(listener.url);
    const socket = connectTcp(Number(port), "127.0.0.1");
    await once(socket, "connect");
    const raw = new RawWebSocket(socket);
    socket.write("GET /lintel HTTP/1.1\r\n");
    (await ws.dial(listener.url)).close();
    await listener.close();
    await raw.rest();
  });
});

test("an acceptor takes upgrades of a server that has its own requests", async () => {
  const acceptor = createWsAcceptor();
  const server = createServer((_request, response) => response.end("its own"));
  let accepted: ByteEnd | undefined;
  server.on("upgrade", (request, socket, head) =>
    acceptor.handleUpgrade(request, socket, head, (connection) => {
      accepted = new ByteEnd(connection);
    }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const dialed = new ByteEnd(await ws.dial(`ws://127.0.0.1:${port}/any/path`));
  dialed.connection.send(Buffer.from("hello"));
  await accepted!.until(() => accepted!.length === 5);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "its own");
  dialed.connection.close();
  await accepted!.over();
  server.close();
});

test("bytes are a stream: long writes are cut, and nothing is lost where messages end", async () => {
  let accepted: ByteEnd | undefined;
  const listener = await ws.listen("ws://127.0.0.1:0", (connection) => {
    accepted = new ByteEnd(connection);
  });
  const dialed = new ByteEnd(await ws.dial(listener.url));
  const bytes = Buffer.alloc(5_000_000, "0123456789abcdef!");
  if (!accepted!.connection.send(bytes)) await accepted!.drain();
  if (!dialed.connection.send(bytes)) await dialed.drain();
  await Promise.all([dialed, accepted!].map((end) => end.until(() => end.length === bytes.length)));
  assert.ok(dialed.bytes().equals(bytes) && accepted!.bytes().equals(bytes));
  dialed.connection.close();
  await Promise.all([dialed.over(), accepted!.over()]);
  assert.deepEqual([dialed.error, accepted!.error], [undefined, undefined]);
  await listener.close();
});

test("pings of the other end do not stop a connection that is full", async () => {
  let accepted: ByteEnd | undefined;
  const listener = await ws.listen("ws://127.0.0.1:0", (connection) => {
    accepted = new ByteEnd(connection);
  });
  const client = new WebSocket(listener.url, "lintel.v1", { perMessageDeflate: false });
  await once(client, "open");
  client.pause();
  const chunk = Buffer.alloc(65_536);
  let sent = chunk.length;
  while (accepted!.connection.send(chunk)) sent += chunk.length;
  for (let index = 0; index < 20; index++) client.ping();
  let received = 0;
  client.on("message", (data: Buffer) => (received += data.length));
  const drained = accepted!.drain();
  client.resume();
  await drained;
  assert.equal(accepted!.drainedCount, 1);
  while (received < sent) await new Promise((resolve) => setImmediate(resolve));
  client.terminate();
  await accepted!.over();
  await listener.close();
});
