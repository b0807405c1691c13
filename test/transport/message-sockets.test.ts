import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { WebSocket, type ClientOptions } from "ws";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import type { Listener } from "../../src/transport/transport.ts";
import { listenMessages, type MessageListenOptions } from "../../src/transport/ws/message-listener.ts";
import type { MessageSocket } from "../../src/transport/ws/message-socket.ts";
import { textFrame } from "../../src/transport/ws/text-frame.ts";
import { AUTHORITY, pair } from "./certificates.ts";
import { RawWebSocket, frame } from "./raw-websocket.ts";

/** The hub's end of a socket, and what it was told. */
interface End {
  readonly socket: MessageSocket;
  readonly messages: Buffer[];
  readonly binary: boolean[];
  readonly drained: () => Promise<void>;
  readonly closed: Promise<Error | undefined>;
}

interface Gate {
  readonly listener: Listener;
  /** The next end that is accepted. */
  next(): Promise<End>;
}

const listeners: Listener[] = [];
after(() => Promise.all(listeners.map((listener) => listener.close())));

async function listen(
  options: Partial<MessageListenOptions> = {},
  onMessage: (end: End, data: Buffer) => void = () => undefined,
  scheme = "ws",
): Promise<Gate> {
  const ends: End[] = [];
  let wake = (): void => undefined;
  const accept = (socket: MessageSocket): void => {
    let onDrained = (): void => undefined;
    let onClosed: (error: Error | undefined) => void = () => undefined;
    const closed = new Promise<Error | undefined>((resolve) => (onClosed = resolve));
    const drained = (): Promise<void> => new Promise((resolve) => (onDrained = resolve));
    const end: End = { socket, messages: [], binary: [], drained, closed };
    socket.open({
      message(data, isBinary) {
        end.messages.push(data);
        end.binary.push(isBinary);
        onMessage(end, data);
      },
      drained: () => onDrained(),
      closed: (error) => onClosed(error),
    });
    ends.push(end);
    wake();
  };
  const listener = await listenMessages(`${scheme}://127.0.0.1:0`, accept, {
    maxPayload: 1_048_576,
    ...options,
  });
  listeners.push(listener);
  return {
    listener,
    async next() {
      while (ends.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return ends.shift()!;
    },
  };
}

async function dial(url: string, options: ClientOptions = {}, protocols: string[] = []): Promise<WebSocket> {
  const client = new WebSocket(url, protocols, options);
  await once(client, "open");
  return client;
}

/** The texts that arrive, until there are so many. */
function received(client: WebSocket, count: number): Promise<string[]> {
  const texts: string[] = [];
  return new Promise((resolve) => {
    client.on("message", (data: Buffer, isBinary) => {
      assert.equal(isBinary, false);
      if (texts.push(data.toString()) === count) resolve(texts);
    });
  });
}

describe("message sockets", () => {
  test("texts of every length of head arrive whole, in both directions", async () => {
    const gate = await listen({}, ({ socket }, data) => void socket.send(data.toString()));
    const client = await dial(gate.listener.url);
    const texts = [
      "",
      "a",
      ..."é€😀",
      ...[125, 126, 4_096, 4_097, 65_535, 65_536, 300_000].map((size) => "x".repeat(size)),
    ];
    const all = received(client, texts.length);
    for (const text of texts) client.send(text);
    assert.deepEqual(await all, texts);
    const end = await gate.next();
    assert.deepEqual(new Set(end.binary), new Set([false]));
    client.close();
    assert.equal(await end.closed, undefined);
  });

  test("messages sent in any mix of forms keep their order", async () => {
    const gate = await listen();
    const client = await dial(gate.listener.url);
    const { socket } = await gate.next();
    const texts = Array.from({ length: 400 }, (_, index) => `${index} ${"y".repeat((index * 997) % 9_000)}`);
    const all = received(client, texts.length);
    for (const [index, text] of texts.entries()) {
      if (index % 3 === 0) socket.sendFrame(textFrame(text));
      else socket.send(index % 3 === 1 ? text : Buffer.from(text));
      if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await all, texts);
    client.terminate();
  });

  test("one frame is sent to many sockets without being changed", async () => {
    const gate = await listen();
    const clients = await Promise.all(Array.from({ length: 3 }, () => dial(gate.listener.url)));
    const all = clients.map((client) => received(client, 2));
    const frames = ["first", "second"].map((text) => textFrame(text));
    for (const { socket } of [await gate.next(), await gate.next(), await gate.next()])
      for (const one of frames) socket.sendFrame(one);
    for (const texts of await Promise.all(all)) assert.deepEqual(texts, ["first", "second"]);
    for (const client of clients) client.terminate();
  });

  test("what is sent in one turn of the loop goes out in one write", async () => {
    const gate = await listen();
    const raw = await RawWebSocket.open(gate.listener.url);
    const { socket } = await gate.next();
    const chunks: number[] = [];
    raw.socket.on("data", (chunk: Buffer) => chunks.push(chunk.length));
    for (let index = 0; index < 50; index++) socket.send("0123456789");
    await raw.until(() => raw.received.length === 50 * 12);
    assert.deepEqual(chunks, [600]);
    raw.socket.destroy();
  });

  test("frames split at every byte, joined, and in fragments are the same messages", async () => {
    const gate = await listen();
    const raw = await RawWebSocket.open(gate.listener.url);
    const end = await gate.next();
    raw.socket.setNoDelay(true);
    const bytes = Buffer.concat([
      frame({ opcode: 1 }, Buffer.from("one")),
      frame({ opcode: 1, fin: false }, Buffer.from("tw")),
      frame({ opcode: 9 }, Buffer.from("ping between")),
      frame({ opcode: 0 }, Buffer.from("o")),
      frame({ opcode: 2 }, Buffer.from("three")),
    ]);
    for (const byte of bytes) raw.socket.write(Buffer.from([byte]));
    await raw.until(() => raw.received.length === 14); // the pong
    raw.socket.end(frame({ opcode: 8 }, Buffer.from([3, 232])));
    await end.closed;
    assert.deepEqual(end.messages.map(String), ["one", "two", "three"]);
    assert.deepEqual(end.binary, [false, false, true]);
  });

  test("text that is not UTF-8 arrives as it is", async () => {
    const gate = await listen();
    const raw = await RawWebSocket.open(gate.listener.url);
    const end = await gate.next();
    raw.socket.end(Buffer.concat([frame({ opcode: 1 }, Buffer.from([0x61, 0xff])), frame({ opcode: 8 })]));
    await end.closed;
    assert.equal(isUtf8(end.messages[0]!), false);
    assert.deepEqual([...end.messages[0]!], [0x61, 0xff]);
  });

  test("a message past the limit ends the socket with 1009", async () => {
    const gate = await listen({ maxPayload: 1_000 });
    const client = await dial(gate.listener.url);
    const end = await gate.next();
    client.send("z".repeat(1_001));
    assert.equal((await once(client, "close"))[0], 1009);
    assert.ok((await end.closed) instanceof Error);
    assert.equal(end.messages.length, 0);
  });

  test("a reader that does not read makes send return false; drained follows when it does", async () => {
    const gate = await listen();
    const client = await dial(gate.listener.url);
    const end = await gate.next();
    client.pause();
    const text = "w".repeat(60_000);
    let sent = 1;
    const drained = end.drained();
    while (end.socket.send(text)) {
      sent++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(end.socket.buffered > 262_144);
    const all = received(client, sent);
    client.resume();
    await drained;
    assert.ok(end.socket.buffered <= 131_072);
    for (const got of await all) assert.equal(got.length, text.length);
    client.terminate();
    await end.closed;
  });

  test("read(false) holds the sender back, and nothing is lost", async () => {
    const gate = await listen();
    const client = await dial(gate.listener.url);
    const end = await gate.next();
    end.socket.read(false);
    const count = 400;
    for (let index = 0; index < count; index++) client.send(`${index} ${"v".repeat(60_000)}`);
    await new Promise((resolve) => setImmediate(resolve));
    end.socket.send("seen");
    await received(client, 1);
    assert.ok(end.messages.length < 20, `${end.messages.length} were read`);
    assert.ok(client.bufferedAmount > 1_000_000);
    end.socket.read(true);
    client.close();
    await end.closed;
    assert.deepEqual(
      end.messages.map((message) => Number.parseInt(message.toString("latin1"), 10)),
      Array.from({ length: count }, (_, index) => index),
    );
  });

  test("close sends what waits, then code and reason; a long reason is cut between characters", async () => {
    const gate = await listen();
    const client = await dial(gate.listener.url);
    const { socket, closed } = await gate.next();
    const text = received(client, 1);
    socket.send("last words");
    socket.close(1008, "é".repeat(100));
    socket.send("too late");
    const [code, reason] = (await once(client, "close")) as [number, Buffer];
    assert.deepEqual(await text, ["last words"]);
    assert.equal(code, 1008);
    assert.equal(reason.toString(), "é".repeat(61));
    await closed;
  });

  test("after a close from this end, messages that were under way are dropped", async () => {
    const gate = await listen({}, ({ socket }) => socket.close(1000, ""));
    const raw = await RawWebSocket.open(gate.listener.url);
    const end = await gate.next();
    raw.socket.write(
      Buffer.concat([frame({ opcode: 1 }, Buffer.from("1")), frame({ opcode: 1 }, Buffer.from("2"))]),
    );
    assert.equal(await raw.closeCode(), 1000);
    raw.socket.destroy();
    await end.closed;
    assert.deepEqual(end.messages.map(String), ["1"]);
  });
});

describe("message sockets: who is at the other end", () => {
  test("path, query and headers of the handshake are there", async () => {
    const gate = await listen();
    const client = await dial(`${gate.listener.url}some/path?greeting=short&a=%20b`, {
      headers: { "X-One": "1" },
    });
    const { socket } = await gate.next();
    assert.equal(socket.path, "/some/path");
    assert.deepEqual(
      [...socket.query],
      [
        ["greeting", "short"],
        ["a", " b"],
      ],
    );
    assert.equal(socket.headers["x-one"], "1");
    assert.match(socket.remote, /^ws:\/\/127\.0\.0\.1:[0-9]+$/);
    client.terminate();
  });

  test("the first subprotocol is taken, or the first of those that are listed", async () => {
    const any = await listen();
    const one = await listen({ protocols: ["b"] });
    for (const [gate, expected] of [
      [any, "a"],
      [one, "b"],
    ] as const) {
      const client = await dial(gate.listener.url, {}, ["a", "b"]);
      assert.equal(client.protocol, expected);
      client.terminate();
    }
  });

  test("pages of other origins and foreign host names are refused before the upgrade", async () => {
    const gate = await listen();
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { host: "evil.example" },
    ]) {
      const client = new WebSocket(gate.listener.url, { headers });
      const [, response] = (await once(client, "unexpected-response")) as [unknown, { statusCode: number }];
      assert.equal(response.statusCode, 403);
      client.on("error", () => undefined).terminate();
    }
    const listed = await listen({ origins: ["https://app.example"] });
    (await dial(listed.listener.url, { origin: "https://app.example" })).terminate();
  });

  test("a listener with a path has nothing elsewhere, and may answer other requests", async () => {
    const gate = await listen({
      path: "/socket",
      request(request, response) {
        if (request.url === "/stats") response.end("{}");
        return request.url === "/stats";
      },
    });
    const base = gate.listener.url.replace("ws:", "http:");
    assert.match(base, /\/socket$/);
    (await dial(gate.listener.url)).terminate();
    const lost = new WebSocket(gate.listener.url.replace("socket", "other")).on("error", () => undefined);
    const [, response] = (await once(lost, "unexpected-response")) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, 404);
    lost.terminate();
    assert.equal((await fetch(base)).status, 426);
    assert.equal((await fetch(base.replace("socket", "none"))).status, 404);
    assert.equal(await (await fetch(base.replace("socket", "stats"))).text(), "{}");
    const foreign = await fetch(base.replace("socket", "stats"), {
      headers: { origin: "https://evil.example" },
    });
    assert.equal(foreign.status, 403);
  });

  test("TLS works, and certificates can be renewed", async () => {
    const gate = await listen({ tls: pair("server") }, ({ socket }) => void socket.send("hi"), "wss");
    for (let round = 0; round < 2; round++) {
      const client = await dial(gate.listener.url, { ca: AUTHORITY });
      const text = received(client, 1);
      client.send("?");
      assert.deepEqual(await text, ["hi"]);
      assert.match((await gate.next()).socket.remote, /^wss:/);
      client.terminate();
      gate.listener.reload!(pair("renewed"));
    }
  });

  test("URLs of another form are refused", async () => {
    for (const url of ["http://127.0.0.1:0", "ws://127.0.0.1:0/path", "ws://a@127.0.0.1:0", "127.0.0.1:0"])
      await assert.rejects(
        listenMessages(url, () => undefined, { maxPayload: 1 }),
        TypeError,
      );
  });
});

describe("message sockets: silence", () => {
  const limits = { heartbeat: 3_000, heartbeatTimeout: 2_000 };

  test("a peer that answers pings stays, one that does not is ended", async () => {
    const clock = new FakeClock();
    const gate = await listen({ heartbeat: { clock, limits } });
    const alive = await dial(gate.listener.url);
    const first = await gate.next();
    const silent = await RawWebSocket.open(gate.listener.url);
    const second = await gate.next();
    const pinged = once(alive, "ping");
    clock.advance(limits.heartbeat);
    await pinged;
    await silent.until(() => silent.received.length === 2);
    alive.send("after the answer to the ping");
    while (first.messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(limits.heartbeatTimeout);
    clock.advance(0);
    assert.match(String(await second.closed), /missed its heartbeat/);
    assert.equal(alive.readyState, WebSocket.OPEN);
    alive.terminate();
    await first.closed;
  });
});
