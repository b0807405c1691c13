/** Answers that are streams, from a worker in another process to real callers. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pair } from "../../transport/certificates.ts";
import { RawCaller, reasonOf } from "./harness.ts";
import { counted, openHarness } from "./stream-harness.ts";
import { until } from "../../house/until.ts";

const FILE = fileURLToPath(import.meta.url);

const post = (path: string, body: string, more = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

test("bytes go out chunked, whole and in order, and the connection serves the next request", async (context) => {
  const harness = await openHarness(context);
  const size = 3_000_000;
  const caller = new RawCaller(harness.port).send(post("/bytes", `{"size":${size}}`) + post("/plain", ""));
  const first = await caller.response();
  assert.equal(first?.status, 200);
  assert.equal(first.headers.get("transfer-encoding"), "chunked");
  assert.equal(first.headers.get("content-type"), "application/octet-stream");
  assert.equal(first.headers.has("cache-control"), false);
  assert.ok(first.raw.equals(counted(size)));
  assert.equal((await caller.response())?.body, "plain");
  caller.close();
  assert.deepEqual(
    harness.records.map(({ status, reason }) => [status, reason]),
    [
      [200, undefined],
      [200, undefined],
    ],
  );
});

test("pipelined answers keep their order, streams among them", async (context) => {
  const harness = await openHarness(context);
  const caller = new RawCaller(harness.port).send(
    ["/slow", "/node", "/bytes", "/slow", "/node"].map((path) => post(path, '{"size":200000}')).join(""),
  );
  const bodies: string[] = [];
  for (let index = 0; index < 5; index++) {
    const { raw } = (await caller.response())!;
    bodies.push(raw.length > 100 ? String(raw.equals(counted(200_000))) : raw.toString());
  }
  assert.deepEqual(bodies, ["slow", "one,two", "true", "slow", "one,two"]);
  caller.close();
});

test("every piece is sent as it is produced", async (context) => {
  const harness = await openHarness(context);
  await using curl = harness.curl("/steps", "--include");
  await curl.prints(/Content-Type: text\/plain\r\n[^]*\r\n\r\nfirst $/i);
  harness.tell("go");
  await curl.prints(/\r\n\r\nfirst second $/);
  harness.tell("go");
  await curl.prints(/\r\n\r\nfirst second third$/);
  harness.tell("go");
  assert.equal((await curl.ended).exit, 0);
});

test("the head goes out after a second, though nothing was produced", async (context) => {
  const harness = await openHarness(context);
  const caller = new RawCaller(harness.port).send(post("/breaks", '{"after":0}'));
  await until(() => caller.received.endsWith("\r\n\r\n"));
  assert.match(caller.received, /^HTTP\/1\.1 200 OK\r\n/);
  harness.tell("break");
  assert.match(await caller.end(), /chunked\r\n\r\n$/);
  caller.close();
});

test("status and headers are the handler's, and so is a content-length that is right", async (context) => {
  const harness = await openHarness(context);
  const order = { size: 100_000, status: 206, headers: { "content-length": "100000", "x-mine": "yes" } };
  const caller = new RawCaller(harness.port).send(post("/bytes", JSON.stringify(order)).repeat(2));
  for (let round = 0; round < 2; round++) {
    const answer = await caller.response();
    assert.deepEqual([answer?.status, answer?.headers.get("x-mine")], [206, "yes"]);
    assert.equal(answer?.headers.get("content-length"), "100000");
    assert.equal(answer.headers.has("transfer-encoding"), false);
    assert.ok(answer.raw.equals(counted(100_000)));
  }
  caller.close();
});

test("a content-length that is wrong is no answer, or one that is broken off", async (context) => {
  const harness = await openHarness(context);
  const ask = (size: number, length: string) =>
    harness.curl(
      "/bytes",
      "--data",
      JSON.stringify({ size, piece: 1_000, headers: { "content-length": length } }),
    );
  await using none = ask(10, "ten");
  await using before = ask(10, "9");
  await using over = ask(10_000, "9999");
  await using under = ask(10_000, "10001");
  for (const curl of [none, before]) assert.equal(reasonOf((await curl.ended).stdout), "BAD_ANSWER");
  assert.deepEqual(await outcome(over), [18, 9_000]);
  assert.deepEqual(await outcome(under), [18, 10_000]);
});

async function outcome(curl: {
  readonly ended: Promise<{ exit: unknown; stdout: string }>;
}): Promise<unknown[]> {
  const { exit, stdout } = await curl.ended;
  return [exit, stdout.length];
}

test("a caller of HTTP/1.0 gets bytes until the connection ends, and a reset where they break off", async (context) => {
  const harness = await openHarness(context);
  await using whole = harness.curl("/bytes", "--http1.0", "--include", "--data", '{"size":300000}');
  const { exit, stdout } = await whole.ended;
  assert.equal(exit, 0);
  const [head = "", body = ""] = stdout.split("\r\n\r\n", 2);
  assert.match(head, /^connection: close$/im);
  assert.doesNotMatch(head, /transfer-encoding/i);
  assert.ok(Buffer.from(body, "latin1").equals(counted(300_000)));
  await using broken = harness.curl("/breaks", "--http1.0", "--data", '{"after":3}');
  await broken.prints(/^xxx$/);
  harness.tell("break");
  assert.equal((await broken.ended).exit, 56); // "failure in receiving network data"
});

test("HEAD, 204, 205 and 304 have no body, and their stream is reset", async (context) => {
  const harness = await openHarness(context);
  const big = { size: 1_000_000, headers: { "content-length": "1000000" } };
  const head = JSON.stringify(big);
  const caller = new RawCaller(harness.port);
  caller.send(`HEAD /bytes HTTP/1.1\r\nHost: a\r\nContent-Length: ${head.length}\r\n\r\n${head}`);
  const looked = await caller.response(true);
  assert.deepEqual([looked?.status, looked?.headers.get("content-length")], [200, "1000000"]);
  await harness.says(/^canceled CALLER_GONE$/);
  for (const status of [204, 205, 304]) {
    caller.send(post("/bytes", JSON.stringify({ size: 1_000_000, status })));
    const answer = await caller.response(status === 304);
    assert.deepEqual([answer?.status, answer?.body], [status, ""]);
    assert.equal(answer?.headers.has("transfer-encoding"), false);
    await harness.says(/^canceled CALLER_GONE$/);
  }
  caller.send(post("/plain", ""));
  assert.equal((await caller.response())?.body, "plain");
  caller.close();
});

test("a file is a stream; one that fails before its first byte is answered with a problem", async (context) => {
  const harness = await openHarness(context);
  const text = { "content-type": "text/plain" };
  const whole = await fetch(`${harness.url}/file`, { method: "POST", headers: text, body: FILE });
  assert.equal(await whole.text(), await readFile(FILE, "utf8"));
  const missing = await fetch(`${harness.url}/file`, { method: "POST", headers: text, body: `${FILE}.none` });
  assert.equal(missing.status, 502);
  assert.equal(reasonOf(await missing.text()), "SOURCE_FAILED");
});

test("a stream that breaks midway is cut off without its final chunk", async (context) => {
  const harness = await openHarness(context);
  const caller = new RawCaller(harness.port).send(post("/breaks", '{"after":3}'));
  await using curl = harness.curl("/breaks", "--data", '{"after":3}');
  await curl.prints(/^xxx$/);
  harness.tell("break");
  assert.equal((await curl.ended).exit, 18); // "transfer closed with outstanding read data remaining"
  const raw = await caller.end();
  assert.match(raw, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(raw, /(?:\r\n1\r\nx){3}\r\n$/);
  caller.close();
  assert.deepEqual(
    harness.records.map(({ status, reason }) => [status, reason]),
    [
      [200, "DISK_GONE"],
      [200, "DISK_GONE"],
    ],
  );
});

test("answers behind one that is broken off are given up", async (context) => {
  const harness = await openHarness(context);
  const caller = new RawCaller(harness.port).send(post("/breaks", '{"after":1}') + post("/waits", ""));
  await harness.says(/^waiting$/);
  harness.tell("break");
  assert.match(await caller.end(), /\r\n1\r\nx\r\n$/);
  await harness.says(/^signal CALLER_GONE$/);
  caller.close();
});

test("an answer that waits behind another one and breaks ends the connection when its turn has come", async (context) => {
  const harness = await openHarness(context);
  const caller = new RawCaller(harness.port).send(post("/steps", "") + post("/breaks", '{"after":1}'));
  await until(() => harness.records.length === 0 && caller.received.includes("first "));
  harness.tell("break");
  await until(() => harness.records.length === 1);
  for (const seen of ["second ", "third"]) {
    harness.tell("go");
    await until(() => caller.received.includes(seen));
  }
  harness.tell("go");
  const raw = await caller.end();
  assert.match(raw, /third\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n1\r\nx\r\n$/);
  caller.close();
});

test("a worker that dies breaks its streams off", async (context) => {
  const harness = await openHarness(context);
  await using curl = harness.curl("/breaks", "--data", '{"after":3}');
  await using events = harness.curl("/ticks");
  await curl.prints(/^xxx$/);
  await events.prints(/^data: 0\n\n$/);
  harness.kill();
  assert.equal((await curl.ended).exit, 18);
  const { exit, stdout } = await events.ended;
  assert.equal(exit, 0);
  assert.match(stdout, /^data: 0\n\nevent: error\ndata: \{[^\n]*"reason":"CONNECTION_LOST"[^\n]*\}\n\n$/);
});

test("streams inside a value, channels, and answers to be fetched later are no HTTP answers", async (context) => {
  const harness = await openHarness(context);
  const nested = await fetch(`${harness.url}/nested`);
  assert.deepEqual([nested.status, reasonOf(await nested.text())], [502, "BAD_ANSWER"]);
  await harness.says(/^canceled BAD_ANSWER$/);
  const channel = await fetch(`${harness.url}/channel`);
  assert.deepEqual([channel.status, reasonOf(await channel.text())], [502, "BAD_ANSWER"]);
  await harness.says(/^channel BAD_ANSWER$/);
  const headers = { prefer: "respond-async", "content-type": "application/json" };
  const body = '{"size":1000000}';
  const later = await fetch(`${harness.url}/bytes`, { method: "POST", headers, body });
  assert.equal(later.status, 202);
  await harness.says(/^canceled BAD_ANSWER$/);
  const kept = await fetch(`${harness.url}${later.headers.get("location")}`);
  assert.deepEqual([kept.status, reasonOf(await kept.text())], [502, "BAD_ANSWER"]);
});

test("over TLS too a stream comes whole, and one that breaks is seen to", async (context) => {
  const harness = await openHarness(context, { tls: pair("server") });
  await using whole = harness.curl("/bytes", "--insecure", "--data", '{"size":300000}');
  assert.ok(Buffer.from((await whole.ended).stdout, "latin1").equals(counted(300_000)));
  await using chunked = harness.curl("/breaks", "--insecure", "--data", '{"after":3}');
  await chunked.prints(/^xxx$/);
  harness.tell("break");
  assert.equal((await chunked.ended).exit, 18);
});
