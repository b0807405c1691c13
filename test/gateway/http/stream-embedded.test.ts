/** Answers that are streams, through a gateway inside another server and through `fetch`. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { RawCaller, reasonOf } from "./harness.ts";
import { counted, openHarness, type Harness } from "./stream-harness.ts";
import { until } from "../../house/until.ts";

/** The hub of a harness inside a server of an app. */
async function attached(context: TestContext): Promise<[harness: Harness, port: number]> {
  const harness = await openHarness(context);
  const server = createServer((_request, response) => void response.end("the app's"));
  await harness.hub.attach(server, { path: "/api", streamGraceMs: 200, sseKeepAliveMs: 100 });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return [harness, (server.address() as AddressInfo).port];
}

function post(path: string, value: unknown): Request {
  const headers = { "content-type": "application/json" };
  return new Request(`http://hub${path}`, { method: "POST", headers, body: JSON.stringify(value) });
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

test("attached: streams come whole, with comments, and the connection goes on", async (context) => {
  const [, port] = await attached(context);
  const caller = new RawCaller(port).send(get("/api/values"));
  assert.match((await caller.response())?.body ?? "", /^data: \{"hello":"Ada"\}\n\n/);
  caller.send(get("/own"));
  assert.equal((await caller.response())?.body, "the app's");
  caller.send(get("/api/ticks"));
  await until(() => caller.received.includes("data: 0\n\n\r\n3\r\n:\n\n\r\n"));
  caller.close();
});

test("attached: one that breaks is cut off, and a caller that leaves stops its worker", async (context) => {
  const [harness, port] = await attached(context);
  const body = '{"after":2}';
  const breaking = new RawCaller(port).send(
    `POST /api/breaks HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until(() => breaking.received.endsWith("1\r\nx\r\n1\r\nx\r\n"));
  harness.tell("break");
  assert.match(await breaking.end(), /1\r\nx\r\n1\r\nx\r\n$/);
  const leaving = new RawCaller(port).send(get("/api/waits"));
  await harness.says(/^waiting$/);
  leaving.close();
  await harness.says(/^signal CALLER_GONE$/);
  breaking.close();
});

test("attached: drain gives streams their time, close none", async (context) => {
  const [harness, port] = await attached(context);
  const caller = new RawCaller(port).send(get("/api/waits"));
  await until(() => caller.received.includes("data: waiting"));
  await harness.hub.drain();
  assert.match((await caller.response())?.body ?? "", /event: error\ndata: \{[^\n]*"reason":"DRAINING"/);
  caller.close();
});

test("attached: close tells callers of events", async (context) => {
  const [harness, port] = await attached(context);
  const caller = new RawCaller(port).send(get("/api/waits"));
  await until(() => caller.received.includes("data: waiting"));
  await harness.hub.close();
  assert.match((await caller.response())?.body ?? "", /event: error\ndata: \{[^\n]*"reason":"CLOSED"/);
  caller.close();
});

test("fetch: a stream is the body, as fast as it is read", async (context) => {
  const harness = await openHarness(context);
  const { fetch } = await harness.hub.handler();
  const size = 20_000_000;
  const response = await fetch(post("/bytes", { size }));
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  const produced = Number((await harness.settled()).split(" ")[1]);
  assert.ok(produced < 2_000_000, `${produced} bytes were produced for a body nobody reads`);
  assert.ok(Buffer.from(await response.arrayBuffer()).equals(counted(size)));
  assert.match(await (await fetch(new Request("http://hub/values"))).text(), /^data: \{"hello":"Ada"\}\n\n/);
  const head = await fetch(new Request("http://hub/values", { method: "HEAD" }));
  assert.deepEqual([head.status, await head.text()], [200, ""]);
});

test("fetch: a body that is canceled, or whose request is aborted, stops the worker", async (context) => {
  const harness = await openHarness(context);
  const { fetch } = await harness.hub.handler();
  const canceled = await fetch(new Request("http://hub/waits"));
  await harness.says(/^waiting$/);
  await canceled.body?.cancel();
  await harness.says(/^signal CALLER_GONE$/);
  const controller = new AbortController();
  const aborted = await fetch(new Request("http://hub/waits", { signal: controller.signal }));
  await harness.says(/^waiting$/);
  controller.abort();
  await harness.says(/^signal CALLER_GONE$/);
  await assert.rejects(aborted.text());
});

test("fetch: a body that breaks off rejects", async (context) => {
  const harness = await openHarness(context);
  const { fetch } = await harness.hub.handler();
  const response = await fetch(post("/breaks", { after: 1 }));
  harness.tell("break");
  await assert.rejects(response.text());
  const nested = await fetch(new Request("http://hub/nested"));
  assert.deepEqual([nested.status, reasonOf(await nested.text())], [502, "BAD_ANSWER"]);
  await harness.hub.drain();
});
