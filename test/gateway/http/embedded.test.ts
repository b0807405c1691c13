/** The gateway inside another server answers as it does on a port of its own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { attach } from "../../../src/gateway/http/attach.ts";
import { EmbeddedGateway, type HandlerOptions } from "../../../src/gateway/http/embedded.ts";
import type { RequestRecord } from "../../../src/observe/observer.ts";
import { failure } from "../../../src/message/failure.ts";
import { Format, Message } from "../../../src/message/message.ts";
import {
  RawCaller,
  json,
  openGateway,
  reasonOf,
  serveOn,
  text,
  type Gateway,
  type Service,
} from "./harness.ts";

interface Asked {
  readonly method?: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** `Request` cannot say it. */
  readonly rawOnly?: boolean;
}

/** What does not depend on the server: status, headers in order, body. */
interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Headers that are the server's own affair. */
const OF_THE_SERVER = new Set(["date", "connection", "keep-alive"]);

function answered(status: number, headers: Iterable<[string, string]>, body: string): Answered {
  const kept = [...headers].filter(([name]) => !OF_THE_SERVER.has(name));
  return { status, headers: Object.fromEntries(kept), body };
}

const OPTIONS: HandlerOptions = {
  bodyLimit: 100,
  routes: [
    { method: "GET", path: "/users/{id}", subject: "users.get" },
    { method: "POST", path: "/events/{kind}", subject: "events.{kind}", mode: "publish" },
    { path: "/prices", subject: "nobody.there", fallback: { body: { prices: [] } } },
  ],
};

const CASES: Readonly<Record<string, Asked>> = {
  "a body and a query": { method: "POST", target: "/echo?a=b", body: '{"a":1}' },
  "headers that repeat": { target: "/echo", headers: { "x-a": "1", accept: "text/plain", cookie: "a=b" } },
  "an empty answer": { target: "/empty" },
  "an answer with a status, and cookies": { target: "/teapot" },
  bytes: { target: "/bytes" },
  HEAD: { method: "HEAD", target: "/echo" },
  "HEAD of a route": { method: "HEAD", target: "/users/7" },
  "OPTIONS of a route": { method: "OPTIONS", target: "/users/7" },
  "OPTIONS of a subject": { method: "OPTIONS", target: "/echo" },
  "a method the route does not take": { method: "DELETE", target: "/users/7" },
  TRACE: { method: "TRACE", target: "/echo", rawOnly: true },
  "parameters of a path": { target: "/users/a%20b?c" },
  "a publication": { method: "POST", target: "/events/sold", body: "1" },
  "a fallback": { target: "/prices" },
  "a failure with details": { target: "/broken" },
  nobody: { target: "/nobody/there" },
  "a path that is no subject": { target: "/a.b" },
  "the root": { target: "/" },
  "a path encoded twice": { target: "/%252a" },
  "an unknown answer": { target: "/.lintel/answers/x" },
  "an own path that is none": { target: "/.lintel/x" },
  "a wait that is too short": { target: "/slow", headers: { prefer: "wait=0" } },
  "a URL over the limit": { target: `/${"a".repeat(9_000)}` },
  "a body over the limit": { method: "POST", target: "/echo", body: "x".repeat(101) },
  "a body over the limit, without a length": {
    method: "POST",
    target: "/echo",
    headers: { "transfer-encoding": "chunked" },
    body: "x".repeat(101),
  },
  "a body without a length": {
    method: "POST",
    target: "/echo",
    headers: { "transfer-encoding": "chunked" },
    body: "hello",
  },
  "headers over the limit": { target: "/echo", headers: { "x-a": "\u00e9".repeat(16_300) } },
  "an absolute target for another host": { target: "http://b/echo", rawOnly: true },
  "a WebSocket handshake": { target: "/echo", headers: { upgrade: "websocket" }, rawOnly: true },
};

/** Serves what the cases ask for. */
function serveCases(serve: Gateway["serve"]): Service {
  serve("echo", ({ head, body }) => json({ head: headOf(head), body: body.toString() }));
  serve("users.get", ({ head }) => json({ head: headOf(head) }));
  serve("empty", () => Message.ofBytes(new Uint8Array(0), "", Format.typed));
  serve("teapot", () => text("short", ":status:418\nset-cookie:a=1\nset-cookie:b=2\nx-odd:\u00e9\n"));
  serve("bytes", () => text("\u20ac\u0000", "content-type:application/x-odd\n"));
  serve("broken", () => ({
    ...failure("HANDLER_FAILED", "it broke"),
    details: Buffer.from('{"where":"here"}'),
  }));
  return serve("slow", () => undefined);
}

/** The header block without what differs between a socket and a `Request`: order, and how the body is delimited. */
function headOf(head: string): string[] {
  return head
    .split("\n")
    .filter(
      (line) => !/^(:authority|user-agent|sec-fetch-mode|accept-language|accept-encoding|accept):/.test(line),
    )
    .toSorted();
}

type Ask = (asked: Asked) => Promise<Answered>;

function askPort(port: number, base: string): Ask {
  return async ({ method = "GET", target, headers = {}, body }) => {
    const url = target.startsWith("/") ? base + target : target;
    const chunked = headers["transfer-encoding"] !== undefined;
    const lines = Object.entries({ host: "localhost", ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    if (body !== undefined && !chunked) lines.push(`content-length: ${body.length}\r\n`);
    const payload = chunked ? `${body!.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : (body ?? "");
    const caller = new RawCaller(port).send(`${method} ${url} HTTP/1.1\r\n${lines.join("")}\r\n${payload}`);
    const response = await caller.response(method === "HEAD");
    caller.close();
    assert.ok(response !== undefined, "there is an answer");
    return answered(response.status, response.headers, response.body);
  };
}

function askFetch(gateway: EmbeddedGateway): Ask {
  return async ({ method = "GET", target, headers = {}, body }) => {
    const { "transfer-encoding": coding, ...others } = headers;
    const declared =
      body === undefined || coding !== undefined ? {} : { "content-length": String(body.length) };
    const request = new Request(`http://a${target}`, {
      method,
      headers: { ...others, ...declared },
      ...(body === undefined ? {} : { body: new Blob([body]).stream(), duplex: "half" }),
    });
    const response = await gateway.fetch(request);
    return answered(response.status, response.headers, await response.text());
  };
}

interface Embedded {
  readonly gateway: EmbeddedGateway;
  readonly engine: LocalEngine;
  readonly records: RequestRecord[];
  readonly faults: unknown[];
  readonly serve: Gateway["serve"];
}

function embed(context: TestContext, options: HandlerOptions = OPTIONS): Embedded {
  const engine = new LocalEngine();
  const records: RequestRecord[] = [];
  const faults: unknown[] = [];
  const onRequest = (record: RequestRecord): void => void records.push(record);
  const onFault = (fault: unknown): void => void faults.push(fault);
  const gateway = new EmbeddedGateway(engine, { onRequest, onFault, ...options }, {});
  context.after(() => {
    gateway.close();
    return engine.close();
  });
  return { gateway, engine, records, faults, serve: (pattern, handler) => serveOn(engine, pattern, handler) };
}

async function listen(context: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const FORMS: Readonly<Record<string, (context: TestContext) => Promise<[Embedded, Ask, isFetch: boolean]>>> =
  {
    "a function of node:http": async (context) => {
      const embedded = embed(context);
      const port = await listen(context, createServer(embedded.gateway.request));
      return [embedded, askPort(port, ""), false];
    },
    "attached below a path": async (context) => {
      const embedded = embed(context, { ...OPTIONS, path: "/api" });
      const server = createServer((_request, response) => void response.end("the app's"));
      attach(server, embedded.gateway);
      return [embedded, askPort(await listen(context, server), "/api"), false];
    },
    "a function of Request": async (context) => {
      const embedded = embed(context);
      return [embedded, askFetch(embedded.gateway), true];
    },
  };

for (const [form, start] of Object.entries(FORMS)) {
  describe(form, () => {
    test("answers as a port of its own does, and logs the same", async (context) => {
      const harness = await openGateway(context, OPTIONS);
      serveCases((pattern, handler) => harness.serve(pattern, handler));
      const ask = askPort(harness.port, "");
      const [embedded, askEmbedded, isFetch] = await start(context);
      serveCases(embedded.serve);
      for (const [name, asked] of Object.entries(CASES)) {
        if (asked.rawOnly === true && (isFetch || asked.target.startsWith("http"))) continue;
        await context.test(name, async () => {
          const expected = await ask(asked);
          assert.deepEqual(await askEmbedded(asked), expected);
          const [theirs, ours] = [harness.records.at(-1)!, embedded.records.at(-1)!];
          assert.deepEqual({ ...ours, ms: 0 }, { ...theirs, ms: 0 });
        });
      }
      assert.deepEqual(embedded.faults, []);
    });

    test("keeps answers to be fetched where the caller finds them", async (context) => {
      const [embedded, ask] = await start(context);
      const slow = serveCases(embedded.serve);
      const accepted = await ask({ target: "/slow", headers: { prefer: "respond-async" } });
      assert.equal(accepted.status, 202);
      const location = accepted.headers["location"]!.replace(/^\/api/, "");
      assert.equal((await ask({ target: location })).status, 202);
      const job = await slow.next();
      slow.registration.reply(job.number, text("at last"));
      assert.equal((await ask({ target: location })).body, "at last");
      assert.equal((await ask({ target: location })).status, 404);
      if (form.startsWith("attached")) assert.match(accepted.headers["location"]!, /^\/api\/\.lintel\//);
    });
  });
}

test("a caller that does not stop sending what is refused is cut off, and gets to read why", async (context) => {
  const { gateway } = embed(context);
  const port = await listen(context, createServer(gateway.request));
  const caller = new RawCaller(port).send(
    "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
  );
  caller.send("x".repeat(1_000));
  const response = await caller.response();
  assert.deepEqual([response?.status, response?.headers.get("connection")], [413, "close"]);
  await caller.end();
  caller.close();
});

test("a function of Request hears of callers that leave, and of bodies that break off", async (context) => {
  const { gateway, engine, serve, records } = embed(context);
  const service = serve("slow", () => undefined);
  const leaving = new AbortController();
  const response = gateway.fetch(new Request("http://a/slow", { signal: leaving.signal }));
  await service.next();
  leaving.abort();
  await service.canceled();
  assert.equal((await response).status, 499);
  const gone = new AbortController();
  gone.abort();
  assert.equal((await gateway.fetch(new Request("http://a/slow", { signal: gone.signal }))).status, 499);
  const broken = new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from("abc"));
      controller.error(new Error("the line is dead"));
    },
  });
  const short = new Blob(["abc"]).stream();
  for (const [body, headers] of [
    [broken, {}],
    [short, { "content-length": "4" }],
  ] as const) {
    const request = new Request("http://a/slow", { method: "POST", body, headers, duplex: "half" });
    assert.equal((await gateway.fetch(request)).status, 499);
  }
  assert.equal(service.jobs.length, 1);
  assert.equal(engine.inFlight, 0);
  assert.deepEqual(
    records.map(({ reason }) => reason),
    ["CALLER_GONE", "CALLER_GONE", "CALLER_GONE"],
  );
});

test("a body that is refused is not read to its end", async (context) => {
  const { gateway, serve } = embed(context);
  serve("x", () => text("ok"));
  let canceled = false;
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(60));
    },
    cancel() {
      canceled = true;
    },
  });
  const response = await gateway.fetch(
    new Request("http://a/x", { method: "POST", body: endless, duplex: "half" }),
  );
  assert.equal(response.status, 413);
  while (!canceled) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(pulled < 10, `${pulled} pieces were read`);
});

test("a middleware passes on what leads nowhere, and says when a body was read before it", async (context) => {
  const { gateway, serve, faults } = embed(context, { defaultMapping: true });
  serve("x", () => text("the hub's"));
  const port = await listen(
    context,
    createServer((request, response) => {
      const next = (error?: unknown): void =>
        void response.end(error instanceof Error ? `error: ${error.message}` : "the app's");
      if (request.headers["x-parsed"] === undefined) return gateway.request(request, response, next);
      request.resume().on("end", () => {
        gateway.request(request, response, request.headers["x-parsed"] === "next" ? next : undefined);
      });
    }),
  );
  const ask = askPort(port, "");
  for (const target of ["/", "/favicon.ico", "/a//b", "/_x"])
    assert.equal((await ask({ target })).body, "the app's");
  assert.equal((await ask({ target: "/x" })).body, "the hub's");
  assert.equal((await ask({ target: "/x", headers: { "x-parsed": "next" } })).body, "the hub's");
  const parsed = { method: "POST", target: "/x", body: "1" };
  assert.match((await ask({ ...parsed, headers: { "x-parsed": "next" } })).body, /^error: .*was read before/);
  const { status, body } = await ask({ ...parsed, headers: { "x-parsed": "end" } });
  assert.deepEqual([status, reasonOf(body), faults.length], [500, "INTERNAL", 1]);
});

test("an attached gateway without a path takes its routes only, whoever else listens", async (context) => {
  const { gateway, serve } = embed(context, { ...OPTIONS, defaultMapping: false });
  serve(">", () => text("the hub's"));
  const server = createServer();
  const detach = attach(server, gateway);
  server.on("request", (_request, response) => void response.end("the app's"));
  const ask = askPort(await listen(context, server), "");
  assert.equal((await ask({ target: "/users/7" })).body, "the hub's");
  assert.equal((await ask({ target: "/.lintel/answers/x" })).status, 404);
  for (const target of ["/echo", "/", "/users"])
    assert.equal((await ask({ target })).body, "the app's", target);
  const offer = {
    method: "POST",
    target: "/users/7/x",
    headers: { connection: "upgrade", upgrade: "h2c" },
    body: "1",
  };
  assert.equal((await ask(offer)).body, "the app's");
  detach();
  assert.equal((await ask({ target: "/users/7" })).body, "the app's");
  assert.deepEqual([server.listenerCount("upgrade"), Object.hasOwn(server, "emit")], [0, false]);
});

test("options that are wrong are refused", (context) => {
  for (const path of ["api", "/api/", "/a b", "//", "/a?b", ""]) {
    assert.throws(() => embed(context, { path }), { code: "invalid_argument" }, path);
  }
});
