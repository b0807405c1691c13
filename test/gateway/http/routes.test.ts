import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteOptions } from "../../../src/gateway/http/route-options.ts";
import { openHttp } from "../../../src/gateway/http/port.ts";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { failure } from "../../../src/message/failure.ts";
import { openGateway, reasonOf, text } from "./harness.ts";

test("literal segments go before parameters, parameters before a rest", async (context) => {
  const harness = await openGateway(context, {
    routes: [
      { path: "/u/{all...}", subject: "rest" },
      { path: "/u/{id}", subject: "param.{id}" },
      { path: "/u/me", subject: "me", method: ["POST", "PUT"] },
      { path: "/u/{id}/orders", subject: "orders" },
      { path: "/u/b/{x}", subject: "b" },
      { path: "/", subject: "root" },
    ],
  });
  harness.serve(">", (job) => text(job.subject));
  const table: [method: string, path: string, subject: string][] = [
    ["POST", "/u/me", "me"],
    ["GET", "/u/me", "param.me"],
    ["GET", "/u/7", "param.7"],
    ["GET", "/u/%37", "param.7"],
    ["GET", "/u/7/orders", "orders"],
    ["GET", "/u/b/orders", "b"],
    ["GET", "/u/b/c/d", "rest"],
    ["GET", "/", "root"],
    ["GET", "/other/x", "other.x"],
  ];
  for (const [method, path, subject] of table) {
    assert.equal(await (await fetch(harness.url + path, { method })).text(), subject, `${method} ${path}`);
  }
});

test("a path whose routes do not take the method is 405 with Allow", async (context) => {
  const harness = await openGateway(context, {
    routes: [
      { path: "/a/b", subject: "x", method: "GET" },
      { path: "/a/{p}", subject: "y", method: ["PUT"] },
    ],
  });
  const { jobs } = harness.serve(">", () => text("served"));
  const refused = await fetch(`${harness.url}/a/b`, { method: "POST", body: "hello" });
  assert.deepEqual([refused.status, refused.headers.get("allow")], [405, "GET, PUT, HEAD, OPTIONS"]);
  assert.equal(reasonOf(await refused.text()), "METHOD_NOT_ALLOWED");
  const options = await fetch(`${harness.url}/a/b`, { method: "OPTIONS" });
  assert.deepEqual([options.status, options.headers.get("allow")], [204, "GET, PUT, HEAD, OPTIONS"]);
  assert.equal(jobs.length, 0);
  const head = await fetch(`${harness.url}/a/b`, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "6"]);
  assert.match(jobs[0]?.head ?? "", /^:method:HEAD\n/);
});

test("OPTIONS goes to the worker where a route lists it", async (context) => {
  const harness = await openGateway(context, {
    routes: [
      { path: "/a", subject: "x", method: ["GET", "OPTIONS"] },
      { path: "/b", subject: "x" },
    ],
  });
  harness.serve("x", () => text("mine"));
  assert.equal(await (await fetch(`${harness.url}/a`, { method: "OPTIONS" })).text(), "mine");
  const answer = await fetch(`${harness.url}/b`, { method: "OPTIONS" });
  assert.deepEqual(
    [answer.status, answer.headers.get("allow")],
    [204, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"],
  );
});

test("without the default mapping, only routes are found", async (context) => {
  const harness = await openGateway(context, {
    defaultMapping: false,
    routes: [{ path: "/a", subject: "a" }],
  });
  harness.serve(">", () => text("served"));
  assert.equal((await fetch(`${harness.url}/a`)).status, 200);
  const response = await fetch(`${harness.url}/b`);
  assert.deepEqual([response.status, reasonOf(await response.text())], [404, "NOT_FOUND"]);
});

test("a publish route answers at once", async (context) => {
  const harness = await openGateway(context, {
    routes: [
      { path: "/plain", subject: "events.plain", mode: "publish" },
      {
        path: "/full/{kind}",
        subject: "events.{kind}",
        mode: "publish",
        reply: { status: 201, headers: { "X-A": ["1", "2"] }, body: { ok: true } },
      },
      { path: "/text", subject: "events.text", mode: "publish", reply: { body: "noted" } },
    ],
  });
  const seen: string[] = [];
  harness.engine.subscribe("events.*", {
    deliver: (route, message) =>
      void seen.push(`${route.subject} ${Buffer.from(message.payload()).toString()}`),
  });
  const plain = await fetch(`${harness.url}/plain`, { method: "POST", body: "1" });
  assert.deepEqual([plain.status, await plain.text(), plain.headers.get("content-type")], [202, "", null]);
  const full = await fetch(`${harness.url}/full/x`, { method: "POST", body: "2" });
  assert.deepEqual([full.status, await full.text(), full.headers.get("x-a")], [201, '{"ok":true}', "1, 2"]);
  assert.equal(full.headers.get("content-type"), "application/json");
  const noted = await fetch(`${harness.url}/text`, { method: "POST", body: "3" });
  assert.equal(noted.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(await noted.text(), "noted");
  assert.deepEqual(seen, ["events.plain 1", "events.x 2", "events.text 3"]);
});

test("a fallback answers when no worker can be had, not when one fails", async (context) => {
  const harness = await openGateway(context, {
    routes: [
      { path: "/a/{id}", subject: "a.{id}", timeout: "20ms", fallback: { status: 203, body: "later" } },
    ],
  });
  const absent = await fetch(`${harness.url}/a/b`);
  assert.deepEqual([absent.status, await absent.text()], [203, "later"]);
  assert.equal(absent.headers.get("lintel-fallback"), "NO_RESPONDERS");
  harness.serve("a.slow", () => undefined);
  assert.equal((await fetch(`${harness.url}/a/slow`)).headers.get("lintel-fallback"), "DEADLINE");
  harness.serve("a.bad", () => failure("HANDLER_FAILED"));
  const failed = await fetch(`${harness.url}/a/bad`);
  assert.deepEqual([failed.status, failed.headers.get("lintel-fallback")], [500, null]);
  const lost = harness.serve("a.lost", () => undefined);
  const waiting = fetch(`${harness.url}/a/lost`);
  await lost.next();
  lost.registration.lose();
  assert.equal((await waiting).headers.get("lintel-fallback"), "WORKER_LOST");
});

test("timeouts of routes reach the worker", async (context) => {
  const harness = await openGateway(context, {
    timeoutMs: 7_000,
    routes: [
      { path: "/a", subject: "x", timeout: "5s" },
      { path: "/b", subject: "x", timeout: 250 },
      { path: "/c", subject: "x", timeout: "1m" },
    ],
  });
  const { jobs } = harness.serve("x", () => text(""));
  for (const path of ["/a", "/b", "/c", "/x"]) await (await fetch(harness.url + path)).text();
  assert.deepEqual(
    jobs.map(({ timeoutMs }) => timeoutMs),
    [5_000, 250, 60_000, 7_000],
  );
});

test("routes that are wrong say which and why", async () => {
  const good = { path: "/a", subject: "a" };
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const table: [routes: RouteOptions[], message: RegExp][] = [
    [[{ path: "a", subject: "a" }], /^route 1 \(a\): path must begin with/],
    [[good, { path: "/a//b", subject: "a" }], /^route 2 .*empty segment/],
    [[{ path: "/a/", subject: "a" }], /empty segment/],
    [[{ path: "/a{b}", subject: "a" }], /neither plain/],
    [[{ path: "/a%20b", subject: "a" }], /neither plain/],
    [[{ path: "/../b", subject: "a" }], /neither plain/],
    [[{ path: "/{a...}/b", subject: "a" }], /last segment/],
    [[{ path: "/{a}/{a}", subject: "a" }], /twice/],
    [[{ path: "/a", subject: "a.{id}" }], /uses \{id\}/],
    [[{ path: "/a", subject: "a.*" }], /must be tokens/],
    [[{ path: "/a", subject: "a..b" }], /must be tokens/],
    [[{ path: "/a", subject: "a", method: "get" }], /upper case/],
    [[{ path: "/a", subject: "a", method: [] }], /empty list/],
    [[{ path: "/a", subject: "a", method: "CONNECT" }], /cannot be served/],
    [[{ path: "/a", subject: "a", timeout: "5" }], /timeout is "5"/],
    [[{ path: "/a", subject: "a", timeout: 0 }], /timeout is 0/],
    [[{ path: "/a", subject: "a", timeout: Number.NaN }], /timeout is NaN/],
    [[{ path: "/a", subject: "a", timeout: "900h" }], /timeout is "900h"/],
    [[{ path: "/a", subject: "a", reply: {} }], /reply needs mode "publish"/],
    [[{ path: "/a", subject: "a", mode: "publish", fallback: {} }], /fallback needs mode "request"/],
    [[{ path: "/a", subject: "a", fallback: { status: 100 } }], /status is 100/],
    [[{ path: "/a", subject: "a", fallback: { status: 204, body: "x" } }], /cannot carry/],
    [[{ path: "/a", subject: "a", fallback: { headers: { "a b": "1" } } }], /illegal name or value/],
    [[{ path: "/a", subject: "a", fallback: { headers: { a: "1\n" } } }], /illegal name or value/],
    [[{ path: "/a", subject: "a", fallback: { headers: { Connection: "close" } } }], /set by the gateway/],
    [[{ path: "/a", subject: "a", fallback: { body: cyclic } }], /not a JSON value/],
    [[good, good], /route 2 \(\/a\) takes the same requests as route 1 \(\/a\)/],
    [
      [
        { path: "/{x}", subject: "a" },
        { path: "/{y}", subject: "b" },
      ],
      /takes the same requests/,
    ],
  ];
  for (const [routes, message] of table) {
    await assert.rejects(openHttp(new LocalEngine(), { port: 0, routes }), (error: Error) => {
      assert.match(error.message, message);
      assert.equal((error as { code?: unknown }).code, "invalid_argument");
      return true;
    });
  }
  await assert.rejects(openHttp(new LocalEngine(), { port: 70_000 }), /option port is 70000/);
});
