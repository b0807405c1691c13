/** Fetch handlers behind a hub. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import { getConnInfo } from "@hono/node-server/conninfo";
import { reasonOf } from "../gateway/http/harness.ts";
import { behindHub, signal } from "./behind-hub.ts";

test("the request is what the caller sent, with its address where Hono looks for it", async (context) => {
  const app = new Hono();
  app.all("/who", async (c) =>
    c.json([c.req.method, c.req.url, c.req.header("x-a"), getConnInfo(c).remote.address, await c.req.text()]),
  );
  const { url } = await behindHub(context, app);
  const { host } = new URL(url);
  const response = await fetch(`${url}/who?a=%20b`, {
    method: "PROPFIND",
    body: "text",
    headers: { "x-a": "1" },
  });
  assert.deepEqual(await response.json(), [
    "PROPFIND",
    `http://${host}/who?a=%20b`,
    "1",
    "127.0.0.1",
    "text",
  ]);
});

test("the handler's signal fires, and its stream is canceled, when the caller leaves", async (context) => {
  const aborted = signal();
  const canceled = signal();
  const { url } = await behindHub(context, (request: Request) => {
    if (request.url.endsWith("/wait")) {
      return new Promise<Response>(() => request.signal.addEventListener("abort", () => aborted.give()));
    }
    return new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(Buffer.from("first")),
        cancel: () => canceled.give(),
      }),
    );
  });
  const waiting = new AbortController();
  const waits = fetch(`${url}/wait`, { signal: waiting.signal });
  setTimeout(() => waiting.abort(), 100);
  await assert.rejects(waits);
  await aborted.came;
  const reading = new AbortController();
  const response = await fetch(url, { signal: reading.signal });
  await response.body!.getReader().read();
  reading.abort();
  await canceled.came;
});

test("the head goes out at once though the body takes its time", async (context) => {
  const go = signal();
  const { url } = await behindHub(context, { fetch: () => new Response(ReadableStream.from(later())) });
  async function* later(): AsyncGenerator<Uint8Array> {
    await go.came;
    yield Buffer.from("body");
  }
  const response = await fetch(url);
  assert.equal(response.status, 200);
  go.give();
  assert.equal(await response.text(), "body");
});

test("status, repeated cookies, and bodies that may not be", async (context) => {
  const answers: Readonly<Record<string, () => Response>> = {
    "/204": () => new Response(null, { status: 204 }),
    "/304": () => new Response(null, { status: 304, headers: { etag: '"1"' } }),
    "/cookies": () =>
      new Response("x", {
        headers: [
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
        ],
      }),
    "/bytes": () => new Response(new Uint8Array(300_000)),
    "/see": () => Response.redirect("https://other.example/", 307),
  };
  const { url } = await behindHub(context, (request: Request) => answers[new URL(request.url).pathname]!());
  assert.equal((await fetch(`${url}/204`)).status, 204);
  assert.equal((await fetch(`${url}/304`)).headers.get("etag"), '"1"');
  assert.deepEqual((await fetch(`${url}/cookies`)).headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal((await (await fetch(`${url}/bytes`)).arrayBuffer()).byteLength, 300_000);
  const see = await fetch(`${url}/see`, { redirect: "manual" });
  assert.deepEqual([see.status, see.headers.get("location")], [307, "https://other.example/"]);
  assert.equal((await fetch(`${url}/bytes`, { method: "HEAD" })).status, 200);
});

test("what a handler throws, or answers with instead of a Response, is a failure", async (context) => {
  const { url, errors } = await behindHub(context, (request: Request): Response => {
    if (request.url.endsWith("/error")) return Response.error();
    if (request.url.endsWith("/none")) return undefined as unknown as Response;
    if (request.url.endsWith("/half")) return new Response(ReadableStream.from(half()));
    throw new Error("one");
  });
  async function* half(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("half");
    await new Promise((resolve) => setTimeout(resolve, 50));
    throw new Error("three");
  }
  const expected = {
    throws: [500, "HANDLER_FAILED"],
    none: [500, "HANDLER_FAILED"],
    error: [502, "BAD_ANSWER"],
  };
  for (const [path, outcome] of Object.entries(expected)) {
    const response = await fetch(`${url}/${path}`);
    assert.deepEqual([response.status, reasonOf(await response.text())], outcome, path);
  }
  await assert.rejects(async () => (await fetch(`${url}/half`)).text());
  assert.deepEqual(
    errors.map((error) => (error as Error).message),
    ["one", "the app did not answer with a Response", "three"],
  );
});

test("a GET with a body is taken without it", async (context) => {
  const { call } = await behindHub(
    context,
    async (request: Request) => new Response(`${request.method}${await request.text()}`),
  );
  const caller = call().send(
    "GET /app HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  );
  assert.equal((await caller.response())?.body, "GET");
});
