import assert from "node:assert/strict";
import { test } from "node:test";
import { openGateway, RawCaller, reasonOf, text } from "./harness.ts";

const HOST = "Host: a\r\n";
const get = (target: string, more = HOST): string => `GET ${target} HTTP/1.1\r\n${more}\r\n`;
const post = (headers: string, body: string): string => `POST /x HTTP/1.1\r\n${HOST}${headers}\r\n${body}`;
const chunked = (body: string): string => post("Transfer-Encoding: chunked\r\n", body);

/** Each is answered with this status and the connection is closed. */
const REFUSED: Readonly<Record<string, readonly [status: number, bytes: string | Buffer]>> = {
  "two Host headers": [400, get("/x", "Host: a\r\nhost: b\r\n")],
  "two equal Host headers": [400, get("/x", "Host: a\r\nHost: a\r\n")],
  "no Host": [400, get("/x", "")],
  "an empty Host": [400, get("/x", "Host:\r\n")],
  "a Host with a path": [400, get("/x", "Host: a/b\r\n")],
  "a Host with a user": [400, get("/x", "Host: u@a\r\n")],
  "a Host with a comma and a space": [400, get("/x", "Host: a, b\r\n")],
  "an absolute target for another host": [400, get("http://b/x")],
  "an absolute target with a user": [400, get("http://u@a/x")],
  "an absolute target with another port": [400, get("http://a:81/x")],
  "an absolute target without Host": [400, get("http://a/x", "")],
  "a target with another scheme": [400, get("ftp://a/x")],
  "a target without a slash": [400, get("x")],
  "GET *": [400, get("*")],
  "a fragment": [400, get("/x#f")],
  "a fragment after the query": [400, get("/x?q#f")],
  "a space in the target": [400, get("/x y")],
  "a tab in the target": [400, get("/x\ty")],
  "a NUL in the target": [400, get("/x\u0000")],
  "a raw byte above 127 in the target": [400, get("/x?\u00e9")],
  "HTTP/0.9 without a version": [400, "GET /x\r\n\r\n"],
  "HTTP/0.9 by name": [400, "GET /x HTTP/0.9\r\n\r\n"],
  "HTTP/1.2": [400, "GET /x HTTP/1.2\r\nHost: a\r\n\r\n"],
  "HTTP/2.0": [400, "GET /x HTTP/2.0\r\nHost: a\r\n\r\n"],
  "HTTP/3.0": [400, "GET /x HTTP/3.0\r\nHost: a\r\n\r\n"],
  "the HTTP/2 preface": [400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  "a method in lower case": [400, "get /x HTTP/1.1\r\nHost: a\r\n\r\n"],
  "an unknown method": [400, "FOO /x HTTP/1.1\r\nHost: a\r\n\r\n"],
  CONNECT: [405, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"],
  "a WebSocket handshake": [501, get("/x", `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n`)],
  "an unknown expectation": [417, post("Expect: magic\r\nContent-Length: 1\r\n", "")],
  "an unknown expectation before a known one": [
    417,
    post("Expect: y 100-continue\r\nContent-Length: 1\r\n", ""),
  ],
  "an unknown expectation behind a known one": [
    417,
    post("Expect: 100-continue, y\r\nContent-Length: 1\r\n", ""),
  ],
  "an unknown expectation in a header of its own": [
    417,
    post("Expect: 100-continue\r\nExpect: y\r\nContent-Length: 1\r\n", ""),
  ],
  "an expectation with a parameter": [417, post("Expect: 100-continue;q=1\r\nContent-Length: 1\r\n", "")],
  "a CR before the request": [400, `\r${get("/x")}`],
  "a LF before the request": [400, `\n${get("/x")}`],
  "a CR before an empty line": [400, `\r\r\n${get("/x")}`],
  "a CR behind an empty line": [400, `\r\n\r${get("/x")}`],
  "a TLS greeting": [400, Buffer.from("16030100c8010000c40303", "hex")],
  garbage: [400, "\u0000\u0001\u0002\r\n\r\n"],
  "two Content-Lengths": [400, post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab")],
  "two equal Content-Lengths": [400, post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab")],
  "a list of Content-Lengths": [400, post("Content-Length: 2, 2\r\n", "ab")],
  "a signed Content-Length": [400, post("Content-Length: +2\r\n", "ab")],
  "a negative Content-Length": [400, post("Content-Length: -2\r\n", "ab")],
  "a hexadecimal Content-Length": [400, post("Content-Length: 0x2\r\n", "ab")],
  "an endless Content-Length": [400, post(`Content-Length: ${"9".repeat(40)}\r\n`, "")],
  "length and coding": [400, post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  "coding and length": [400, post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")],
  "two codings": [400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  "chunked not last": [400, post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n")],
  "chunked and gzip": [400, post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")],
  "an unknown coding": [400, post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")],
  "a coding in HTTP/1.0": [400, "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  "a chunk size that is none": [400, chunked("zz\r\n")],
  "a chunk size that overflows": [400, chunked("fffffffffffffffff\r\n")],
  "a chunk longer than its size": [400, chunked("1\r\nabc\r\n0\r\n\r\n")],
  "a chunk line that ends in LF": [400, chunked("1\na\r\n0\r\n\r\n")],
  "chunk extensions without end": [413, chunked(`1;${"a".repeat(20_000)}`)],
  "a space before the colon": [400, get("/x", `${HOST}X-A : b\r\n`)],
  "a folded header": [400, get("/x", `${HOST}X-A: b\r\n  c\r\n`)],
  "a header before the first": [400, get("/x", ` X-A: b\r\n${HOST}`)],
  "a pseudo-header": [400, get("/x", `${HOST}:path: /y\r\n`)],
  "a header without a name": [400, get("/x", `${HOST}: v\r\n`)],
  "a header without a colon": [400, get("/x", `${HOST}abc\r\n`)],
  "a bare LF": [400, "GET /x HTTP/1.1\nHost: a\n\n"],
  "a bare LF after a header": [400, "GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"],
  "a bare CR in a header": [400, "GET /x HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"],
  "a NUL in a header": [400, get("/x", `${HOST}X: a\u0000b\r\n`)],
  "an escape in a header": [400, get("/x", `${HOST}X: a\u001bb\r\n`)],
  "a DEL in a header": [400, get("/x", `${HOST}X: a\u007fb\r\n`)],
  "a URL of 9 KiB": [414, get(`/${"a".repeat(9_216)}`)],
  "a URL of 64 KiB": [414, get(`/${"a".repeat(65_536)}`)],
  "headers of 33 KiB": [431, get("/x", `${HOST}X: ${"a".repeat(33_000)}\r\n`)],
  "headers of 17 KiB that take 33 KiB in UTF-8": [431, get("/x", `${HOST}X: ${"\u00e9".repeat(17_000)}\r\n`)],
  "headers of 64 KiB where nothing is": [431, get("/", `${HOST}X: ${"a".repeat(65_536)}\r\n`)],
  "headers of 64 KiB at a path that names nothing": [
    431,
    get("/a%20b", `${HOST}X: ${"a".repeat(65_536)}\r\n`),
  ],
  "headers of 64 KiB for a kept answer": [
    431,
    get("/.lintel/answers/x", `${HOST}X: ${"a".repeat(65_536)}\r\n`),
  ],
  "headers of 64 KiB that stay behind": [
    431,
    get("/x", `${HOST}Connection: ${"a,".repeat(32_768)}\r\nKeep-Alive: ${"a".repeat(32_768)}\r\n`),
  ],
  "headers of 64 KiB with a WebSocket": [
    431,
    get("/x", `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nX: ${"a".repeat(65_536)}\r\n`),
  ],
  "headers of 64 KiB": [431, get("/x", `${HOST}X: ${"a".repeat(65_536)}\r\n`)],
  "headers of 200 KiB": [431, get("/x", `${HOST}X: ${"a".repeat(200_000)}\r\n`)],
  "3,000 headers": [431, get("/x", HOST + "X: a\r\n".repeat(3_000))],
  "60,000 headers": [431, get("/x", HOST + "X: a\r\n".repeat(60_000))],
};

test("hostile requests are answered with a problem and the connection is closed", async (context) => {
  const gateway = await openGateway(context, { defaultMapping: true });
  const { jobs } = gateway.serve(">", () => text("served"));
  for (const [name, [status, bytes]] of Object.entries(REFUSED)) {
    await context.test(name, async () => {
      const caller = new RawCaller(gateway.port).send(bytes);
      const response = await caller.response();
      assert.equal(response?.status, status, response?.head);
      assert.equal(response.headers.get("connection"), "close");
      assert.equal(response.headers.get("content-type"), "application/problem+json");
      assert.equal((JSON.parse(response.body) as { status: unknown }).status, status);
      assert.equal(await caller.end(), "", "nothing else is sent");
      caller.close();
    });
  }
  assert.deepEqual([jobs.length, gateway.faults], [0, []]);
  const caller = new RawCaller(gateway.port).send(get("/x"));
  assert.equal((await caller.response())?.status, 200, "others are served all the same");
  caller.close();
});

test("unusual requests that are legal are served", async (context) => {
  const gateway = await openGateway(context);
  const { jobs } = gateway.serve("x", () => text("served"));
  const legal = [
    get("http://a/x"),
    get("HTTP://A/x?q=1"),
    "GET /x HTTP/1.0\r\n\r\n",
    get("/x", "Host: [::1]:80\r\n"),
    get("/x", `${HOST}Upgrade: h2c\r\nConnection: Upgrade\r\n`),
    `\r\n${get("/x")}`,
    chunked("1;ext=1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n"),
    post("Transfer-Encoding: Chunked\r\n", "0\r\n\r\n"),
    post("Content-Length: 0\r\n", ""),
  ];
  for (const bytes of legal) {
    const caller = new RawCaller(gateway.port).send(bytes);
    assert.equal((await caller.response())?.body, "served", bytes);
    caller.close();
  }
  assert.equal(jobs.length, legal.length);
  assert.match(jobs[1]?.head ?? "", /^:method:GET\n:path:\/x\?q=1\n:authority:a\n/);
  assert.doesNotMatch(jobs[6]?.head ?? "", /trailer/);
});

test("OPTIONS * is answered by the gateway", async (context) => {
  const gateway = await openGateway(context);
  const caller = new RawCaller(gateway.port).send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  const response = await caller.response();
  caller.close();
  assert.equal(response?.status, 204);
  assert.match(response.headers.get("allow") ?? "", /^GET, HEAD, POST/);
});

test("TRACE is not served", async (context) => {
  const gateway = await openGateway(context);
  const { jobs } = gateway.serve(">", () => text("served"));
  const caller = new RawCaller(gateway.port).send("TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await caller.response())?.status, 405);
  caller.close();
  assert.equal(jobs.length, 0);
});

test("a refused request waits for the answers before it", async (context) => {
  const gateway = await openGateway(context);
  const slow = gateway.serve("slow", () => undefined);
  const caller = new RawCaller(gateway.port).send(get("/slow") + get("/x", "Host: a\r\nHost: b\r\n"));
  const job = await slow.next();
  slow.registration.reply(job.number, text("first"));
  assert.equal((await caller.response())?.body, "first");
  assert.equal((await caller.response())?.status, 400);
  assert.equal(await caller.end(), "");
  caller.close();
});

test("a refusal waits for the answers before it", async (context) => {
  const gateway = await openGateway(context);
  const slow = gateway.serve("slow", () => undefined);
  const caller = new RawCaller(gateway.port).send(get("/slow") + get("/nobody") + "garbage\r\n\r\n");
  const job = await slow.next();
  slow.registration.reply(job.number, text("first"));
  assert.equal((await caller.response())?.body, "first");
  assert.equal((await caller.response())?.status, 503);
  const last = await caller.response();
  assert.deepEqual([last?.status, last?.headers.get("connection")], [400, "close"]);
  assert.equal(await caller.end(), "");
  caller.close();
});

test("what follows a refused request is not executed", async (context) => {
  const gateway = await openGateway(context);
  const { jobs } = gateway.serve(">", () => text("served"));
  const caller = new RawCaller(gateway.port).send(get("/x", "Host: a\r\nHost: b\r\n") + get("/y"));
  assert.equal((await caller.response())?.status, 400);
  assert.equal(await caller.end(), "");
  caller.close();
  assert.equal(jobs.length, 0);
});

test("a body that turns out malformed is refused in its request's place", async (context) => {
  const gateway = await openGateway(context);
  const { jobs } = gateway.serve("x", () => text("served"));
  const caller = new RawCaller(gateway.port).send(chunked("3\r\nabc\r\n"));
  caller.send("zz\r\n");
  const response = await caller.response();
  assert.deepEqual([response?.status, reasonOf(response?.body ?? "")], [400, "BAD_REQUEST"]);
  caller.close();
  assert.equal(jobs.length, 0);
});

test("slow callers are told so", async (context) => {
  const gateway = await openGateway(context, { headersTimeoutMs: 60, requestTimeoutMs: 120 });
  gateway.serve("x", () => text("served"));
  for (const bytes of ["GET /x HTTP/1.1\r\nHo", post("Content-Length: 10\r\n", "ab"), chunked("5\r\nab")]) {
    const caller = new RawCaller(gateway.port).send(bytes);
    const response = await caller.response();
    assert.deepEqual([response?.status, reasonOf(response?.body ?? "")], [408, "REQUEST_TIMEOUT"], bytes);
    assert.equal(await caller.end(), "");
    caller.close();
  }
});
