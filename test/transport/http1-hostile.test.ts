/** HTTP/1 peers that mean harm, and the clauses of docs/guides/transports-http.md one by one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  Agent,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { connect as connectSocket } from "node:net";
import { after, before, describe, test } from "node:test";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import type { Listener } from "../../src/transport/transport.ts";
import { createHttp1Transport, http1 } from "../../src/transport/http1/transport.ts";

const TYPE = "application/lintel.v1+http1";
const PREAMBLE = 33;

const transport = createHttp1Transport({ encrypted: false, maxConnections: 50, maxUpload: 1_000 });
const agent = new Agent({ keepAlive: true });
let listener: Listener;
let port: number;
let accepted: ByteEnd[] = [];

before(async () => {
  listener = await transport.listen("http1://127.0.0.1:0/lintel", (connection) => {
    accepted.push(new ByteEnd(connection));
  });
  port = Number(new URL(listener.url).port);
});

after(async () => {
  agent.destroy();
  await listener.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly reason: string | undefined;
  readonly received: string | string[] | undefined;
}

/** The head of the answer, and whoever reads on. */
async function begin(
  path: string,
  options: RequestOptions,
  body?: string | Buffer,
): Promise<IncomingMessage> {
  const asked = request({ host: "127.0.0.1", port, path, agent, method: "POST", ...options });
  asked.end(body);
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return response;
}

async function ask(path: string, options: RequestOptions = {}, body?: string | Buffer): Promise<Answer> {
  const response = await begin(path, options, body);
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
  const { statusCode: status = 0, headers } = response;
  if (status >= 400) assert.equal(headers["content-type"], "application/problem+json");
  const reason = text === "" ? undefined : (JSON.parse(text) as { reason: string }).reason;
  return { status, headers, reason, received: headers["lintel-received"] };
}

interface Opened {
  readonly id: string;
  readonly download: IncomingMessage;
  /** The other end. */
  readonly end: ByteEnd;
}

async function open(headers: Record<string, string> = {}): Promise<Opened> {
  const count = accepted.length;
  const download = await begin("/lintel", { headers: { "content-type": TYPE, ...headers } });
  download.on("error", () => undefined); // it is cut off sooner or later
  assert.equal(download.statusCode, 200);
  const [head] = (await once(download, "data")) as [Buffer];
  assert.match(head.toString(), /^lintel\.v1 [A-Za-z0-9_-]{22}\n$/);
  assert.equal(head.length, PREAMBLE);
  assert.equal(accepted.length, count + 1);
  return { id: head.toString("latin1", 10, 32), download, end: accepted.at(-1)! };
}

/** Cuts the download, and waits until the other end has noticed. */
async function leave({ download, end }: Opened): Promise<void> {
  download.destroy();
  await end.over();
}

describe("opening", () => {
  test("F-5: the answer is not to be stored, changed or held back by anything on the way", async () => {
    const opened = await open();
    const { headers } = opened.download;
    assert.equal(headers["content-type"], TYPE);
    assert.equal(headers["cache-control"], "no-store, no-transform");
    assert.equal(headers["x-accel-buffering"], "no");
    await leave(opened);
    assert.match(String(opened.end.error), /cut off/);
  });

  test("F-3: what does not open a connection says why", async () => {
    const type = { "content-type": TYPE };
    assert.equal((await ask("/")).status, 404);
    assert.equal((await ask("/lintelx", { headers: type })).status, 404);
    const get = await ask("/lintel", { method: "GET" });
    assert.deepEqual([get.status, get.headers.allow, get.reason], [405, "POST", "METHOD_NOT_ALLOWED"]);
    assert.equal(
      (await ask("/lintel", { headers: { "content-type": "application/lintel.v1" } })).status,
      415,
    );
    assert.equal((await ask("/lintel", { headers: type }, "body")).status, 400);
    assert.equal(
      (await ask("/lintel", { headers: { ...type, "transfer-encoding": "chunked" } }, "body")).status,
      400,
    );
  });

  test("F-8: pages of other origins are refused, also those that look alike; for uploads too", async () => {
    for (const origin of [
      "https://evil.example",
      "null",
      `http://127.0.0.1:${port}.evil.example`,
      "https://app.example:1",
    ]) {
      const answer = await ask("/lintel", { headers: { "content-type": TYPE, origin } });
      assert.deepEqual([answer.status, answer.reason], [403, "FOREIGN_ORIGIN"], origin);
    }
    const own = await open({ origin: `http://127.0.0.1:${port}` });
    const foreign = await ask(`/lintel/${own.id}/0`, { headers: { origin: "https://evil.example" } }, "x");
    assert.equal(foreign.status, 403);
    assert.equal(own.end.length, 0);
    await leave(own);
  });

  test("F-8: a list of origins replaces the rule of the same host", async () => {
    const listed = await transport.listen(
      "http1://127.0.0.1:0",
      (connection) => void new ByteEnd(connection),
      {
        origins: ["https://app.example"],
      },
    );
    const { host } = new URL(listed.url);
    const statuses: number[] = [];
    for (const origin of ["https://app.example", `http://${host}`, "https://app.example:1"]) {
      const response = await fetch(`http://${host}/.lintel/session`, {
        method: "POST",
        headers: { "content-type": TYPE, origin },
      });
      statuses.push(response.status);
      await response.body?.cancel();
    }
    assert.deepEqual(statuses, [200, 403, 403]);
    await listed.close();
    await assert.rejects(
      transport.listen("http1://127.0.0.1:0", () => undefined, { origins: ["x"] }),
      TypeError,
    );
  });

  test("F-7: thousands of openings: past the bound 503, and the places come back", async () => {
    const earlier = accepted.length;
    const statuses = new Map<number, number>();
    const downloads: IncomingMessage[] = [];
    for (let round = 0; round < 50; round++) {
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          const answer = await begin("/lintel", { headers: { "content-type": TYPE } });
          answer.on("error", () => undefined);
          answer.resume();
          downloads.push(answer);
          statuses.set(answer.statusCode!, (statuses.get(answer.statusCode!) ?? 0) + 1);
        }),
      );
    }
    assert.deepEqual(
      statuses,
      new Map([
        [200, 50],
        [503, 1_950],
      ]),
    );
    for (const download of downloads) download.destroy();
    await Promise.all(accepted.slice(earlier).map((end) => end.over()));
    await leave(await open());
  });

  test("F-4: what is sent behind an opening on the same socket ends both", async () => {
    const opening = `POST /lintel HTTP/1.1\r\nHost: x\r\nContent-Type: ${TYPE}\r\nContent-Length: 0\r\n\r\n`;
    const count = accepted.length;
    const socket = connectSocket(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume();
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.write(opening.repeat(100));
    await closed;
    assert.ok(accepted.length <= count + 1);
    await Promise.all(accepted.slice(count).map((end) => end.over()));
  });
});

describe("uploads", () => {
  test("F-20, F-21: bytes arrive in order, and each answer says how many have", async () => {
    const opened = await open();
    const first = await ask(`/lintel/${opened.id}/0`, {}, "hello ");
    assert.deepEqual([first.status, first.received], [204, "6"]);
    const second = await ask(
      `/lintel/${opened.id}/6`,
      { headers: { "transfer-encoding": "chunked" } },
      "world",
    );
    assert.deepEqual([second.status, second.received], [204, "11"]);
    assert.equal(opened.end.bytes().toString(), "hello world");
    await leave(opened);
  });

  test("F-22: a replay and a gap are 409 with what has been received, and change nothing", async () => {
    const opened = await open();
    await ask(`/lintel/${opened.id}/0`, {}, "abc");
    for (const offset of [0, 2, 4, 9_007_199_254_740_991]) {
      const answer = await ask(`/lintel/${opened.id}/${offset}`, {}, "abc");
      assert.deepEqual([answer.status, answer.reason, answer.received], [409, "ABORTED", "3"]);
    }
    assert.equal((await ask(`/lintel/${opened.id}/3`, {}, "d")).status, 204);
    assert.equal(opened.end.bytes().toString(), "abcd");
    await leave(opened);
  });

  test("F-23: an upload that is cut off leaves what arrived of it, and the rest may follow", async () => {
    const opened = await open();
    const stuck = request({ host: "127.0.0.1", port, path: `/lintel/${opened.id}/0`, method: "POST" });
    stuck.on("error", () => undefined); // it is replaced
    stuck.setHeader("content-length", 100);
    stuck.write("0123");
    await opened.end.until(() => opened.end.length === 4);
    const again = await ask(`/lintel/${opened.id}/0`, {}, "0123456789");
    assert.deepEqual([again.status, again.received], [409, "4"]);
    const rest = await ask(`/lintel/${opened.id}/4`, {}, "456789");
    assert.deepEqual([rest.status, rest.received], [204, "10"]);
    await once(stuck, "close");
    assert.equal(opened.end.bytes().toString(), "0123456789");
    await leave(opened);
  });

  test("F-24: too large is 413, declared or not, and nothing past the bound is taken", async () => {
    const opened = await open();
    const declared = await ask(`/lintel/${opened.id}/0`, {}, Buffer.alloc(1_001));
    assert.deepEqual([declared.status, declared.reason, declared.received], [413, "TOO_LARGE", "0"]);
    const chunked = { headers: { "transfer-encoding": "chunked" } };
    assert.equal((await ask(`/lintel/${opened.id}/0`, chunked, Buffer.alloc(100_000))).status, 413);
    assert.ok(opened.end.length <= 1_000);
    await leave(opened);
  });

  test("F-25: ids that are guessed, malformed or over are 404", async () => {
    const opened = await open();
    const { id } = opened;
    const flipped = `${id[0] === "A" ? "B" : "A"}${id.slice(1)}`;
    for (const path of [
      flipped,
      `${flipped}/0`,
      `${id}/`,
      `${id}/00`,
      `${id}/-1`,
      `${id}/1e3`,
      `${id}/0/0`,
      `${id}x/0`,
      "",
      "__proto__/0",
      `${id}/0?x`,
    ]) {
      assert.equal((await ask(`/lintel/${path}`, {}, "x")).status, 404, path);
      assert.equal((await ask(`/lintel/${path}`, { method: "DELETE" })).status, 404, path);
    }
    assert.equal((await ask(`/lintel/${id}`)).status, 405);
    assert.equal((await ask(`/lintel/${id}/0`, { method: "GET" })).status, 405);
    assert.equal(opened.end.length, 0);
    await leave(opened);
    assert.equal((await ask(`/lintel/${id}/0`, {}, "x")).status, 404);
  });

  test("F-30: DELETE ends the connection in an orderly way, with everything that was sent", async () => {
    const opened = await open();
    let text = "";
    opened.download.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = once(opened.download, "end");
    opened.end.connection.send(Buffer.from("last words"));
    assert.equal((await ask(`/lintel/${opened.id}`, { method: "DELETE" })).status, 204);
    await ended;
    assert.equal(text, "last words");
    await opened.end.over();
    assert.equal(opened.end.error, undefined);
  });

  test("header bombs are 431, and others go on", async () => {
    const opened = await open();
    const response = await begin(
      `/lintel/${opened.id}/0`,
      { headers: { "x-bomb": "x".repeat(10_000) } },
      "x",
    );
    response.resume();
    assert.equal(response.statusCode, 431);
    assert.equal((await ask(`/lintel/${opened.id}/0`, {}, "x")).status, 204);
    await leave(opened);
  });
});

test("a server that is no Lintel is noticed", async () => {
  accepted = [];
  const { createServer } = await import("node:http");
  const answers: [status: number, type: string, body: string][] = [
    [200, "text/html", "<h1>Welcome to the hotel</h1>".repeat(10)],
    [200, TYPE, "<h1>Welcome to the hotel</h1>".repeat(10)],
    [200, TYPE, "short"],
    [302, TYPE, ""],
  ];
  const server = createServer((_request, response) => {
    const [status, type, body] = answers.shift()!;
    response.writeHead(status, { "content-type": type }).end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port: at } = server.address() as { port: number };
  while (answers.length > 0)
    await assert.rejects(http1.dial(`http1://127.0.0.1:${at}`, { timeoutMs: 2_000 }));
  server.close();
});
