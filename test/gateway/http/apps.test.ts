/** Routes that give a web app all there is, and bodies that are streamed. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { RouteOptions } from "../../../src/gateway/http/route-options.ts";
import { compileRoute } from "../../../src/gateway/http/route-options.ts";
import type { Message, StreamEnd } from "../../../src/message/message.ts";
import { INITIAL_CREDIT } from "../../../src/stream/stream.ts";
import { createHub } from "../../../src/index.ts";
import { openGateway, RawCaller, text, type Gateway } from "./harness.ts";

const APP: RouteOptions = { path: "/shop", subject: "shop", mode: "app" };

async function headsOf(context: TestContext, routes: RouteOptions[], send: string[]): Promise<string[]> {
  const gateway = await openGateway(context, { routes });
  const service = gateway.serve(">", () => text("ok", ":status:200\n"));
  const caller = new RawCaller(gateway.port);
  context.after(() => caller.close());
  for (const one of send) {
    caller.send(`${one} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.notEqual((await caller.response(one.startsWith("HEAD")))?.status, undefined);
  }
  return service.jobs.map(({ subject, head }) => `${subject} ${head.replaceAll("\n", " ").trim()}`);
}

test("everything at and below the path is the app's, as it was sent, in every method", async (context) => {
  const targets = ["/shop", "/shop/", "/shop?a=1", "/shop//x/", "/shop/%2Fa%20b/c", "/%73hop/x"];
  const told = ":scheme:http :remote:127.0.0.1 :base:";
  assert.deepEqual(
    await headsOf(
      context,
      [APP],
      [...targets.map((target) => `GET ${target}`), "OPTIONS /shop/x", "HEAD /shop", "PURGE /shop"],
    ),
    [
      ...targets.map(
        (target) =>
          `shop :method:GET :path:${target} :authority:a ${told}${target.slice(0, target.startsWith("/%") ? 7 : 5)}`,
      ),
      `shop :method:OPTIONS :path:/shop/x :authority:a ${told}/shop`,
      `shop :method:HEAD :path:/shop :authority:a ${told}/shop`,
      `shop :method:PURGE :path:/shop :authority:a ${told}/shop`,
    ],
  );
});

test("inside a server of somebody else's the base begins with where the hub is", async (context) => {
  const hub = await createHub({ http: false, listen: [] });
  context.after(() => hub.close());
  await hub.serve("shop", (_value, { headers }) => [
    headers.get(":path"),
    headers.get(":base"),
    headers.get(":remote"),
  ]);
  const lintel = await hub.handler({ path: "/api", routes: [APP] });
  const response = await lintel.fetch(new Request("http://a.example/api/shop/x?y"));
  assert.deepEqual(await response.json(), ["/api/shop/x?y", "/api/shop", null]);
});

test("other routes go before an app's, and what is beside it is not its", async (context) => {
  const routes: RouteOptions[] = [
    APP,
    { path: "/shop/prices/{id}", subject: "prices" },
    { path: "/t/{tenant}", subject: "app.{tenant}", mode: "app", method: ["GET", "POST"] },
    { path: "/", subject: "rest", mode: "app" },
  ];
  const heads = await headsOf(context, routes, [
    "GET /shop/prices/7",
    "GET /shop/prices",
    "GET /shopping",
    "GET /",
    "GET /t/acme/x",
    "GET /t/a.b/x",
    "DELETE /t/acme/x",
  ]);
  assert.deepEqual(
    heads.map((head) => head.split(" ")[0]),
    ["prices", "shop", "rest", "rest", "app.acme", "rest"],
  );
  assert.match(heads[3]!, /:path:\/ .*:base:$/);
  assert.match(heads[4]!, /:params:tenant=acme .*:base:\/t\/acme$/);
});

test("paths that programs read differently reach no app", async (context) => {
  const gateway = await openGateway(context, { routes: [APP] });
  const service = gateway.serve(">", () => text("ok"));
  for (const target of ["/shop/../x", "/shop/%2e%2e/x", "/shop/%00", "/shop/%zz", "/shop/a%0d%0ab"]) {
    const caller = new RawCaller(gateway.port).send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.equal((await caller.response())?.status, 400, target);
    caller.close();
  }
  assert.equal(service.jobs.length, 0);
});

test("routes that make no sense are refused", () => {
  const wrong: readonly (readonly [Partial<RouteOptions>, RegExp])[] = [
    [{ path: "/shop/{rest...}" }, /an app gets everything below its path/],
    [{ body: "stream" }, /leave body out/],
    [{ mode: "request", body: "some" as "whole" }, /body is "some"; use "whole" or "stream"/],
    [{ mode: "request", bodyLimit: 5 }, /bodyLimit needs body "stream" or mode "app"/],
    [{ mode: "publish", body: "stream" }, /a publication cannot carry a stream/],
    [{ bodyLimit: 0.5 }, /bodyLimit is 0.5/],
    [{ mode: "apps" as "app" }, /use "request", "publish" or "app"/],
  ];
  for (const [change, complaint] of wrong)
    assert.throws(() => compileRoute({ ...APP, ...change }, 0, { timeoutMs: 1, bodyLimit: 1 }), {
      message: complaint,
    });
});

/** A worker that holds the streams of requests, unread. */
function holding(
  gateway: Gateway,
  subject: string,
): { readonly end: Promise<StreamEnd>; readonly reply: (message: Message) => void } {
  let job = 0;
  let give: ((end: StreamEnd) => void) | undefined;
  const end = new Promise<StreamEnd>((resolve) => (give = resolve));
  const registration = gateway.engine.serve(subject, {
    execute(number, _route, { streams }) {
      job = number;
      give?.(streams![0]!);
    },
    cancel: () => undefined,
  });
  return { end, reply: (message) => void registration.reply(job, message) };
}

const CHUNKED = "POST /up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
const UP: RouteOptions = { path: "/up", subject: "up", body: "stream" };

test("no more of a body goes to its worker than the worker has granted", async (context) => {
  const gateway = await openGateway(context, { routes: [UP] });
  const { end, reply } = holding(gateway, "up");
  const caller = new RawCaller(gateway.port).send(CHUNKED);
  context.after(() => caller.close());
  for (let count = 0; count < 20; count++) caller.send(`8000\r\n${"x".repeat(0x8000)}\r\n`);
  let received = 0;
  let wake = (): void => undefined;
  const seen: string[] = [];
  const stream = await end;
  stream.listen({
    data(message) {
      received += message.end - message.payloadStart;
      wake();
    },
    ended: () => void seen.push("ended"),
    granted: () => undefined,
    ready: () => true,
    writable: () => undefined,
    reset: (why) => void seen.push(why.reason),
  });
  const reaches = async (bytes: number): Promise<void> => {
    while (received < bytes) await new Promise<void>((resolve) => (wake = resolve));
  };
  await reaches(INITIAL_CREDIT);
  stream.grant(50_000);
  await reaches(INITIAL_CREDIT + 50_000);
  // Twice around the loop: what would come too much has had its time.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(received, INITIAL_CREDIT + 50_000);
  assert.deepEqual(seen, []);
  reply(text("enough"));
  assert.equal((await caller.response())?.body, "enough");
  assert.deepEqual(seen, ["CALLER_GONE"]);
});

test("body: stream gives a handler a stream, however short the body is", async (context) => {
  const hub = await createHub({ http: { port: 0, routes: [UP] }, listen: [] });
  context.after(() => hub.close());
  await hub.serve("up", async (value, { headers }) => {
    let bytes = 0;
    for await (const piece of value as ReadableStream<Uint8Array>) bytes += piece.length;
    return { bytes, declared: headers.get("content-length") };
  });
  const send = async (body: string | Uint8Array | ReadableStream | null): Promise<unknown> =>
    (await fetch(`${hub.httpUrl}/up`, { method: "POST", body, duplex: "half" })).json();
  assert.deepEqual(await send(null), { bytes: 0, declared: "0" });
  assert.deepEqual(await send("abc"), { bytes: 3, declared: "3" });
  assert.deepEqual(await send(new Uint8Array(5_000_000)), { bytes: 5_000_000, declared: "5000000" });
  assert.deepEqual(await send(new Blob(["abc"]).stream()), { bytes: 3 });
  const lintel = await hub.handler({ routes: [UP] });
  const embedded = await lintel.fetch(
    new Request("http://a/up", {
      method: "POST",
      body: new Blob([new Uint8Array(3_000_000)]).stream(),
      duplex: "half",
    }),
  );
  assert.deepEqual(await embedded.json(), { bytes: 3_000_000 });
});
