/** Listeners of node:http behind a hub: what they may rely on, and what becomes of them when somebody leaves or fails. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect as connectSocket } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";
import express from "express";
import { reasonOf } from "../gateway/http/harness.ts";
import { pair } from "../transport/certificates.ts";
import { behindHub, signal } from "./behind-hub.ts";

const GET = "GET /app/x HTTP/1.1\r\nHost: a.example\r\n\r\n";

test("status line, repeated headers, and bodies that may not be", async (context) => {
  const app = express();
  app.get("/reason", (_request, response) => void response.writeHead(201, "Fine", { "x-a": "1" }).end("ok"));
  app.get("/cookies", (_request, response) => {
    response.setHeader("set-cookie", ["a=1; Path=/", "b=2"]);
    response.appendHeader("link", "</a>").appendHeader("link", "</b>");
    response.end();
  });
  app.get("/:status", (request, response) => void response.status(Number(request.params.status)).end());
  app.get("/bare/text", (_request, response) => void response.end("no type"));
  const { url } = await behindHub(context, app);
  const made = await fetch(`${url}/reason`);
  assert.deepEqual([made.status, made.headers.get("x-a"), await made.text()], [201, "1", "ok"]);
  const cookies = await fetch(`${url}/cookies`);
  assert.deepEqual(cookies.headers.getSetCookie(), ["a=1; Path=/", "b=2"]);
  assert.equal(cookies.headers.get("link"), "</a>, </b>");
  for (const status of [204, 304]) {
    const empty = await fetch(`${url}/${status}`);
    assert.equal(empty.status, status);
    assert.equal(empty.headers.get("content-length"), null);
    assert.equal(await empty.text(), "");
  }
  const bare = await fetch(`${url}/bare/text`);
  assert.deepEqual([bare.headers.get("content-type"), await bare.text()], [null, "no type"]);
});

test("a body that ends with the app's connection is whole", async (context) => {
  const { url } = await behindHub(context, (_request: IncomingMessage, response: ServerResponse) => {
    response.useChunkedEncodingByDefault = false;
    response.write("as long ");
    setTimeout(() => response.end("as it lasts"), 20);
  });
  assert.equal(await (await fetch(url)).text(), "as long as it lasts");
  assert.equal(await (await fetch(url)).text(), "as long as it lasts");
});

test("trailers follow an answer that announces them", async (context) => {
  const { call } = await behindHub(context, (_request: IncomingMessage, response: ServerResponse) => {
    response.setHeader("trailer", "x-sum");
    response.write("abc");
    response.addTrailers({ "x-sum": "6", "content-length": "1" });
    response.end("def");
  });
  const caller = call().send(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  const all = await caller.end();
  assert.match(all, /\r\nTrailer: x-sum\r\n/);
  assert.match(all, /0\r\nx-sum: 6\r\n\r\n$/);
  const old = call().send("GET /app/x HTTP/1.0\r\n\r\n");
  assert.match(await old.end(), /\r\n\r\nabcdef$/);
});

test("the caller's address, scheme and forwarding headers are what they would be without a hub", async (context) => {
  const app = express();
  app.set("trust proxy", 1);
  app.get("/who", ({ ip, protocol, hostname, socket }, response) => {
    response.json({
      ip,
      protocol,
      hostname,
      remote: socket.remoteAddress,
      encrypted: "encrypted" in socket && socket.encrypted,
    });
  });
  const { url } = await behindHub(context, app);
  const headers = {
    "x-forwarded-for": "192.0.2.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "shop.example",
  };
  assert.deepEqual(await (await fetch(`${url}/who`, { headers })).json(), {
    ip: "192.0.2.7",
    protocol: "https",
    hostname: "shop.example",
    remote: "127.0.0.1",
    encrypted: false,
  });
  const tls = await behindHub(
    context,
    (request: IncomingMessage, response: ServerResponse) =>
      void response.end(String("encrypted" in request.socket && request.socket.encrypted)),
    { http: { port: 0, tls: pair("server"), routes: [{ path: "/app", subject: "app", mode: "app" }] } },
  );
  const { request } = await import("node:https");
  const [response] = (await once(
    request(`${tls.url}/who`, { rejectUnauthorized: false }).end(),
    "response",
  )) as [IncomingMessage];
  assert.equal(await Readable.from(response).reduce((text, piece) => text + String(piece), ""), "true");
});

test("callers of different addresses never share a connection of the app", async (context) => {
  const seen = new Map<object, Set<string | undefined>>();
  const { hub } = await behindHub(context, ({ socket }: IncomingMessage, response: ServerResponse) => {
    seen.set(socket, (seen.get(socket) ?? new Set()).add(socket.remoteAddress));
    response.end(socket.remoteAddress);
  });
  const port = Number(new URL(hub.httpUrl!).port);
  for (let round = 0; round < 6; round++) {
    const localAddress = `127.0.0.${2 + (round % 2)}`;
    const socket = connectSocket({ port, host: "127.0.0.1", localAddress });
    socket.write(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    const text = String(Buffer.concat(await socket.toArray()));
    assert.match(text, new RegExp(`${localAddress}$`));
  }
  assert.ok(seen.size < 6, "none was used again");
  for (const addresses of seen.values()) assert.equal(addresses.size, 1);
});

test("the path of the route is stripped, or kept, and nobody can forge it", async (context) => {
  const app = (request: IncomingMessage, response: ServerResponse): void => {
    const { originalUrl, baseUrl } = request as { originalUrl?: string; baseUrl?: string };
    const prefix = request.headers["x-forwarded-prefix"];
    response.end(JSON.stringify([request.url, prefix, baseUrl, originalUrl]));
  };
  const ask = async (url: string, path: string): Promise<unknown> =>
    (await fetch(`${url}${path}`, { headers: { "x-forwarded-prefix": "/forged" } })).json();
  const strip = await behindHub(context, app);
  assert.deepEqual(await ask(strip.url, ""), ["/", "/app", "/app", "/app"]);
  assert.deepEqual(await ask(strip.url, "?q=1"), ["/?q=1", "/app", "/app", "/app?q=1"]);
  assert.deepEqual(await ask(strip.url, "//a%2Fb//c/?q=/"), [
    "//a%2Fb//c/?q=/",
    "/app",
    "/app",
    "/app//a%2Fb//c/?q=/",
  ]);
  const keep = await behindHub(context, app, { service: { prefix: "keep" } });
  assert.deepEqual(await ask(keep.url, "/x"), ["/app/x", "/forged", null, null]);
});

test("a caller that leaves closes the request, before its answer and in the middle of it", async (context) => {
  const asked = signal();
  const closed: string[] = [];
  const left = signal();
  const { call } = await behindHub(context, (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === "/stream") response.write("first");
    request.on("close", () => closed.push("request"));
    response.on("close", () => {
      closed.push(response.writableFinished ? "finished" : "broken");
      left.give();
    });
    asked.give();
  });
  const caller = call().send(GET);
  await asked.came;
  caller.close();
  await left.came;
  assert.ok(closed.includes("broken"), closed.join());
});

test("a caller that leaves a long answer closes it", async (context) => {
  const left = signal();
  const { url } = await behindHub(context, (_request: IncomingMessage, response: ServerResponse) => {
    const timer = setInterval(() => response.write("data: x\n\n"), 5);
    response.on("close", () => {
      clearInterval(timer);
      left.give();
    });
  });
  const controller = new AbortController();
  const response = await fetch(url, { signal: controller.signal });
  await response.body!.getReader().read();
  controller.abort();
  await left.came;
});

test("the deadline is for the beginning of the answer", async (context) => {
  const left = signal();
  const { url } = await behindHub(
    context,
    (request: IncomingMessage, response: ServerResponse) => {
      response.on("close", () => left.give());
      if (request.url === "/never") return;
      response.writeHead(200).flushHeaders();
      setTimeout(() => response.end("late"), 1_100);
    },
    { route: { timeout: 1_000 } },
  );
  const late = await fetch(`${url}/late`);
  assert.equal(await late.text(), "late");
  const never = await fetch(`${url}/never`);
  assert.deepEqual([never.status, reasonOf(await never.text())], [504, "DEADLINE"]);
  await left.came;
});

test("what an app throws, rejects with, or leaves unanswered is a failure with a reason", async (context) => {
  const { url, errors } = await behindHub(context, (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === "/throws") throw new Error("one");
    if (request.url === "/rejects") return Promise.reject(new Error("two"));
    if (request.url === "/breaks") {
      response.write("half");
      return delay(20).then(() => Promise.reject(new Error("three")));
    }
    if (request.url === "/short")
      return void response
        .writeHead(200, { "content-length": "9" })
        .write("half", () => request.socket.end());
    if (request.url === "/raw") return void request.socket.write("not HTTP\r\n\r\n");
    return void request.socket.destroy();
  });
  const expected = {
    throws: [500, "HANDLER_FAILED"],
    rejects: [500, "HANDLER_FAILED"],
    gone: [502, "BAD_ANSWER"],
    raw: [502, "BAD_ANSWER"],
  };
  for (const [path, outcome] of Object.entries(expected)) {
    const response = await fetch(`${url}/${path}`);
    assert.deepEqual([response.status, reasonOf(await response.text())], outcome, path);
  }
  for (const path of ["breaks", "short"]) {
    await assert.rejects(async () => (await fetch(`${url}/${path}`)).text(), path);
  }
  assert.deepEqual(
    errors.map((error) => (error as Error).message),
    ["one", "two", "three"],
  );
  assert.equal((await fetch(`${url}/throws`)).status, 500, "it serves on");
});

test("a WebSocket handshake is refused with 501", async (context) => {
  const { call } = await behindHub(
    context,
    (_request: IncomingMessage, response: ServerResponse) => void response.end("http"),
  );
  const upgrade =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
  const refused = await call()
    .send(GET.replace("\r\n\r\n", `\r\n${upgrade}\r\n\r\n`))
    .response();
  assert.deepEqual([refused?.status, reasonOf(refused?.body ?? "")], [501, "UNIMPLEMENTED"]);
  const other = await call()
    .send(GET.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"))
    .response();
  assert.equal(other?.body, "http");
});

test("setTimeout of a response ends one that takes too long", async (context) => {
  const { url } = await behindHub(context, (_request: IncomingMessage, response: ServerResponse) => {
    response.setTimeout(50, () => void response.writeHead(503).end("too slow"));
  });
  const response = await fetch(url);
  assert.deepEqual([response.status, await response.text()], [503, "too slow"]);
});

test("close waits for answers under way, and cuts off what takes too long", async (context) => {
  const asked = signal();
  const closing = signal();
  const { url, service } = await behindHub(
    context,
    (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === "/endless") return void response.write("on and on");
      asked.give();
      void closing.came.then(() => response.end("done"));
    },
    { service: { graceMs: 1_000 } },
  );
  const endless = await fetch(`${url}/endless`);
  const soon = fetch(`${url}/soon`);
  await asked.came;
  const closed = service.close();
  closing.give();
  await closed;
  assert.equal(await (await soon).text(), "done");
  await assert.rejects(endless.text());
  assert.equal((await fetch(url)).status, 503);
});

test("requests of peers are taken if they are HTTP, and can smuggle nothing", async (context) => {
  const urls: string[] = [];
  const { hub } = await behindHub(context, async (request: IncomingMessage, response: ServerResponse) => {
    urls.push(`${request.method} ${request.url}`);
    for await (const _ of request);
    response.end(`${request.headers.host} ${String(request.headers["x-a"])}`);
  });
  const send = (headers: Record<string, string>, value?: unknown): Promise<unknown> =>
    hub.request("app", value, { headers, timeoutMs: 2_000 });
  await assert.rejects(send({}), { code: "invalid_argument", reason: "NOT_HTTP" });
  const http = { ":method": "POST", ":path": "/x" };
  assert.equal(
    Buffer.from(
      (await send({
        ...http,
        "x-a": "1",
        "transfer-encoding": "chunked",
        connection: "close",
      })) as Uint8Array,
    ).toString(),
    "localhost 1",
  );
  await assert.rejects(send({ ...http, ":path": "/x HTTP/1.1" }), { reason: "BAD_REQUEST" });
  await assert.rejects(send({ ...http, ":method": "GET /evil HTTP/1.1" }), { reason: "BAD_REQUEST" });
  const body = "abcGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const stream = new Blob([body]).stream();
  await assert.rejects(send({ ...http, "content-length": "3" }, stream), { reason: "BAD_ANSWER" });
  const short = new Blob(["abc"]).stream();
  await assert.rejects(send({ ...http, "content-length": "30" }, short), { reason: "BAD_ANSWER" });
  assert.deepEqual([...new Set(urls)], ["POST /x"]);
});
