import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isSubject } from "../../../src/message/subject.ts";
import { json, openGateway, RawCaller, reasonOf, text } from "./harness.ts";

test("a path becomes a subject, whatever the method", async (context) => {
  const gateway = await openGateway(context);
  const { jobs } = gateway.serve("orders.>", (job) => text(job.subject));
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const response = await fetch(`${gateway.url}/orders/create`, { method });
    assert.equal(await response.text(), "orders.create");
    assert.equal(response.status, 200);
  }
  assert.equal(await (await fetch(`${gateway.url}/orders/a_B-9/%7a?x=1`)).text(), "orders.a_B-9.z");
  assert.equal(jobs.length, 7);
});

test("the worker gets target, host, parameters and headers", async (context) => {
  const gateway = await openGateway(context, {
    routes: [{ path: "/users/{id}/{rest...}", subject: "users" }],
  });
  const { jobs } = gateway.serve("users", () => json(null));
  const request =
    "POST /users/a%20%C3%A9/b/c?q=1&r HTTP/1.1\r\nHost: shop.example:81\r\nX-B: 1\r\nx-b: 2\r\nAccept: */*\r\n" +
    "Traceparent: 00-1-2-01\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Authorization: x\r\n" +
    "Keep-Alive: 5\r\nX-High: \xe9\r\nContent-Length: 2\r\n\r\nhi";
  const caller = new RawCaller(gateway.port).send(request);
  assert.equal((await caller.response())?.status, 200);
  caller.close();
  assert.deepEqual(jobs[0]?.head.split("\n"), [
    ":method:POST",
    ":path:/users/a%20%C3%A9/b/c?q=1&r",
    ":authority:shop.example:81",
    ":params:id=a%20%C3%A9&rest=b/c",
    "x-b:1",
    "x-b:2",
    "accept:*/*",
    "traceparent:00-1-2-01",
    "x-high:\u00e9",
    "",
  ]);
  assert.equal(jobs[0]?.body.toString(), "hi");
});

test("paths that name no subject are refused", async (context) => {
  const gateway = await openGateway(context);
  const seen: string[] = [];
  gateway.engine.subscribe(">", { deliver: (route) => void seen.push(route.subject) });
  const { jobs } = gateway.serve(">", () => text("served"));
  const illegal = [
    "/a%0d%0ab",
    "/a%20b",
    "/*",
    "/>",
    "/%2a",
    "/%3e",
    "/a//b",
    "//",
    "/a/",
    "/.",
    "/a/..",
    "/a/%2e%2e/b",
    "/%2e",
    "/a.b",
    "/a%2eb",
    "/a%2Fb",
    "/$SYS",
    "/%24SYS/x",
    "/_INBOX/x",
    "/%5fINBOX",
    "/a%00",
    "/%252a",
    "/%zz",
    "/%",
    "/%c3%28",
    "/%ff",
    "/%F0%9F%98%80",
    "/a;b",
    "/a:b",
    "/a@b",
    "/a~b",
    "/a\\b",
    `/${"x".repeat(256)}`,
    `/${"x/".repeat(130)}x`,
  ];
  const caller = new RawCaller(gateway.port);
  for (const path of illegal) {
    const response = await caller.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).response();
    assert.equal(response?.status, 400, path);
    assert.match(String(reasonOf(response.body)), /^BAD_(SUBJECT|REQUEST)$/, path);
  }
  caller.close();
  assert.deepEqual([jobs.length, seen], [0, []]);
});

test("the root is not found, with a hint", async (context) => {
  const gateway = await openGateway(context);
  const response = await fetch(gateway.url);
  assert.equal(response.status, 404);
  assert.match(((await response.json()) as { detail: string }).detail, /orders\.create/);
});

test("nothing illegal reaches the engine", async (context) => {
  const gateway = await openGateway(context, {
    routes: [
      { path: "/r/{id}", subject: "r.{id}" },
      { path: "/s/{rest...}", subject: "s.{rest}", mode: "publish" },
    ],
  });
  const seen: string[] = [];
  gateway.engine.subscribe(">", { deliver: (route) => void seen.push(route.subject) });
  gateway.serve(">", (job) => {
    seen.push(job.subject);
    return text("served");
  });
  const piece = fc.oneof(
    fc.constantFrom(
      "a",
      "B-",
      "_",
      "9",
      ".",
      "..",
      "/",
      "//",
      "*",
      ">",
      "$",
      "%2a",
      "%2A",
      "%3e",
      "%2e",
      "%2f",
      "%00",
    ),
    fc.constantFrom(
      "%0d%0a",
      "%20",
      "%252a",
      "%",
      "%c3%a9",
      "%ff",
      "%7f",
      "r/",
      "s/",
      "_INBOX",
      "?",
      ";",
      "~",
      "é",
    ),
    fc.string({ maxLength: 4 }).map((one) => encodeURIComponent(one)),
  );
  let current = new RawCaller(gateway.port);
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      const path = `/${pieces.join("")}`.replaceAll(" ", "%20");
      const response = await current.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).response();
      const found = seen.splice(0);
      assert.ok(
        found.every((subject) => isSubject(subject) && !subject.startsWith("_")),
        `${path} -> ${found.join()}`,
      );
      assert.ok(response !== undefined, path);
      assert.equal(found.length, response.status < 300 ? 1 : 0, path);
      assert.ok([200, 202, 400, 404].includes(response.status), `${path} -> ${response.status}`);
      if (response.headers.get("connection") === "close") {
        current.close();
        current = new RawCaller(gateway.port);
      }
    }),
    { numRuns: 500 },
  );
  current.close();
  assert.deepEqual(gateway.faults, []);
});
