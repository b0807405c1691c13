/** Bodies of requests for web apps that are listeners of node:http. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";
import { reasonOf } from "../gateway/http/harness.ts";
import { behindHub, signal } from "./behind-hub.ts";

const GET = "GET /app/x HTTP/1.1\r\nHost: a.example\r\n\r\n";

test("an app may refuse a large body without reading it", async (context) => {
  const { url, call } = await behindHub(context, (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(401).end("who are you?");
  });
  const response = await fetch(url, { method: "POST", body: Buffer.alloc(8_000_000) });
  assert.deepEqual([response.status, await response.text()], [401, "who are you?"]);
  const caller = call().send(
    "POST /app HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
  );
  assert.equal((await caller.response())?.status, 401);
  caller.send(`0\r\n\r\n${GET}`);
  assert.equal((await caller.response())?.status, 401, "the connection is good for more");
});

test("Expect: 100-continue: the body is asked for when somebody is there to take it", async (context) => {
  const { call, service } = await behindHub(context, (request: IncomingMessage, response: ServerResponse) => {
    let size = 0;
    request.on("data", (piece: Buffer) => (size += piece.length));
    request.on("end", () => response.end(String(size)));
  });
  const head =
    "POST /app HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n";
  const caller = call().send(head);
  assert.equal((await caller.response(true))?.status, 100);
  const answer = await caller.send(Buffer.alloc(200_000)).response();
  assert.equal(answer?.body, "200000");
  await service.close();
  assert.equal((await call().send(head).response())?.status, 503);
});

test("an app that does not read holds its caller back, and one that writes is held back", async (context) => {
  let produced = 0;
  const go = signal();
  const { url, call } = await behindHub(context, (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === "POST") {
      let size = 0;
      void go.came.then(() => request.on("data", (piece: Buffer) => (size += piece.length)));
      request.on("end", () => response.end(String(size)));
      return;
    }
    const source = new Readable({
      read() {
        produced += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    source.pipe(response);
    response.on("close", () => source.destroy());
  });
  const total = 40_000_000;
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent >= total) return controller.close();
      sent += 100_000;
      controller.enqueue(new Uint8Array(100_000));
    },
  });
  const upload = fetch(url, { method: "POST", body, duplex: "half" });
  const reader = call();
  reader.socket.pause();
  reader.send(GET);
  let before = -1;
  while (sent + produced !== before || produced === 0 || sent === 0) {
    before = sent + produced;
    await delay(300);
  }
  assert.ok(sent < total / 2, `${sent} bytes were taken though nobody read`);
  assert.ok(produced < 30_000_000, `${produced} bytes were written though nobody read`);
  go.give();
  assert.equal(await (await upload).text(), String(total));
});

test("a body over the route's limit is 413, declared or not", async (context) => {
  const closed = signal<boolean>();
  const { url, call } = await behindHub(
    context,
    (request: IncomingMessage, _response: ServerResponse) => {
      request.on("error", () => undefined).on("close", () => closed.give(request.complete));
      request.resume();
    },
    { route: { bodyLimit: 100_000 } },
  );
  const declared = call().send("POST /app HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100001\r\n\r\n");
  assert.equal((await declared.response())?.status, 413);
  const caller = call().send("POST /app HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let count = 0; count < 11; count++) caller.send(`2710\r\n${"x".repeat(10_000)}\r\n`);
  const answer = await caller.response();
  assert.deepEqual([answer?.status, reasonOf(answer?.body ?? "")], [413, "TOO_LARGE"]);
  assert.equal(await closed.came, false, "the app takes half a body for a whole one");
  assert.equal((await fetch(url, { method: "POST", body: "x".repeat(200_000) })).status, 413);
});

test("a caller that stops sending is told so, and the app too", async (context) => {
  const closed = signal();
  const { call } = await behindHub(
    context,
    (request: IncomingMessage, _response: ServerResponse) =>
      void request
        .on("error", () => undefined)
        .on("close", closed.give)
        .resume(),
    { http: { port: 0, stallMs: 300, routes: [{ path: "/app", subject: "app", mode: "app" }] } },
  );
  const caller = call().send(
    "POST /app HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
  );
  const answer = await caller.response();
  assert.deepEqual([answer?.status, reasonOf(answer?.body ?? "")], [408, "REQUEST_TIMEOUT"]);
  await closed.came;
});

test("an upload may take longer than whole requests may", async (context) => {
  const { call } = await behindHub(
    context,
    (request: IncomingMessage, response: ServerResponse) =>
      void request.on("end", () => response.end("all")).resume(),
    { http: { port: 0, requestTimeoutMs: 400, routes: [{ path: "/app", subject: "app", mode: "app" }] } },
  );
  const caller = call().send("POST /app HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let count = 0; count < 8; count++) {
    await delay(120);
    caller.send("5\r\nhello\r\n");
  }
  assert.equal((await caller.send("0\r\n\r\n").response())?.body, "all");
});
