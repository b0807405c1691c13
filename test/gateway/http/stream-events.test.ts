/** Sequences of values: server-sent events, and lines of JSON. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { LintelError, event } from "../../../src/index.ts";
import { RawCaller, reasonOf } from "./harness.ts";
import { openHarness } from "./stream-harness.ts";
import { until } from "../../house/until.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";

const EVENTS = `data: {"hello":"Ada"}

data: two
data: lines
data: and
data: more

id: 7
event: number
retry: 1500
data: {"n":3}

event: done
data: 

data: last: none

`;

const LINES = `{"hello":"Ada"}
"two\\nlines\\r\\nand\\rmore"
{"n":3}
""
"last: none"
`;

test("each value is an event, its lines kept apart, with id, event and retry", async (context) => {
  const harness = await openHarness(context);
  await using curl = harness.curl("/values");
  assert.deepEqual(await curl.ended, { exit: 0, stdout: EVENTS, stderr: "" });
  const { headers, body } = await fetch(`${harness.url}/values`);
  assert.equal(headers.get("content-type"), "text/event-stream");
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal(headers.get("x-accel-buffering"), "no");
  await body?.cancel();
});

test("a caller that likes them better gets lines of JSON", async (context) => {
  const harness = await openHarness(context);
  const accepts: [accept: string, body: string][] = [
    ["application/x-ndjson", LINES],
    ["text/event-stream;q=0.5, application/x-ndjson", LINES],
    ["*/*", EVENTS],
    ["application/json", EVENTS],
    ["text/event-stream, application/x-ndjson", EVENTS],
  ];
  for (const [accept, body] of accepts) {
    const answer = await fetch(`${harness.url}/values`, { headers: { accept } });
    assert.equal(await answer.text(), body, accept);
    const type = body === LINES ? "application/x-ndjson" : "text/event-stream";
    assert.equal(answer.headers.get("content-type"), type);
    assert.equal(answer.headers.get("cache-control"), "no-store");
  }
});

test("Last-Event-ID reaches the handler", async (context) => {
  const harness = await openHarness(context);
  await using curl = harness.curl("/values", "--header", "Last-Event-ID: 41");
  assert.match((await curl.ended).stdout, /\ndata: last: 41\n\n$/);
});

test("each event is sent when its value is there, and the head before all of them", async (context) => {
  const harness = await openHarness(context);
  const caller = new RawCaller(harness.port).send("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n");
  for (let tick = 0; tick < 3; tick++) {
    await until(() => caller.received.endsWith(`data: ${tick}\n\n\r\n`));
    harness.tell("tick");
  }
  caller.close();
});

test("a quiet stream gets a comment, again and again, but not between events that come", async (context) => {
  const harness = await openHarness(context, { sseKeepAliveMs: 300 });
  await using curl = harness.curl("/ticks");
  await curl.prints(/^data: 0\n\n(?::\n\n){2,}$/);
  harness.tell("tick");
  await curl.prints(/^data: 0\n\n(?::\n\n)+data: 1\n\n(?::\n\n)+$/);
});

test("lines of JSON get no comments", async (context) => {
  const harness = await openHarness(context, { sseKeepAliveMs: 5 });
  await using curl = harness.curl("/ticks", "--header", "Accept: application/x-ndjson");
  for (let tick = 0; tick < 5; tick++) {
    await curl.prints(new RegExp(`^${Array.from({ length: tick + 1 }, (_, line) => `${line}\n`).join("")}$`));
    await harness.settled(/^nothing/, 20);
    harness.tell("tick");
  }
});

test("a sequence that breaks ends with an error event; one of lines is cut off", async (context) => {
  const harness = await openHarness(context);
  await using events = harness.curl("/values-break");
  await using lines = harness.curl("/values-break", "--header", "Accept: application/x-ndjson");
  await events.prints(/^data: 1\n\n$/);
  await lines.prints(/^1\n$/);
  harness.tell("break");
  const { exit, stdout } = await events.ended;
  assert.equal(exit, 0);
  const [, data = ""] = /^data: 1\n\nevent: error\ndata: (.*)\n\n$/.exec(stdout)!;
  const { status, code, reason, detail } = JSON.parse(data) as Record<string, unknown>;
  assert.deepEqual(
    [status, code, reason, detail],
    [429, "resource_exhausted", "NO_TOKENS", "no tokens left"],
  );
  assert.deepEqual(await lines.ended, { exit: 18, stdout: "1\n", stderr: "" });
});

test("a stream inside a value of a sequence ends it, and is reset", async (context) => {
  const harness = await openHarness(context);
  await using curl = harness.curl("/nested-later");
  const [, data = ""] = /^data: \{"plain":true\}\n\nevent: error\ndata: (.*)\n\n$/.exec(
    (await curl.ended).stdout,
  )!;
  assert.equal(reasonOf(data), "BAD_ANSWER");
  await harness.says(/^canceled BAD_ANSWER$/);
});

test("a worker that is silent for too long is given up, if that is asked for", async (context) => {
  const clock = new FakeClock();
  const harness = await openHarness(context, { streamIdleMs: 200, sseKeepAliveMs: 50, clock });
  await using curl = harness.curl("/waits");
  await curl.prints(/^data: waiting\n\n$/);
  clock.advance(50);
  await curl.prints(/^data: waiting\n\n:\n\n$/);
  clock.advance(150);
  const { stdout } = await curl.ended;
  assert.match(
    stdout,
    /^data: waiting\n\n(?::\n\n)+event: error\ndata: \{[^\n]*"reason":"DEADLINE"[^\n]*\}\n\n$/,
  );
  await harness.says(/^signal DEADLINE$/);
});

test("a caller that reads slowly is not taken for a silent worker", async (context) => {
  const clock = new FakeClock();
  const harness = await openHarness(context, { streamIdleMs: 300, clock });
  const socket = connect(harness.port, "127.0.0.1");
  socket.write('POST /bytes HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n{"size":9000000}');
  await harness.settled(/^produced/);
  clock.advance(900);
  assert.deepEqual(harness.records, []);
  let end = "";
  socket.on("data", (piece: Buffer) => (end = piece.toString("latin1", Math.max(0, piece.length - 5))));
  await until(() => end === "0\r\n\r\n");
  socket.destroy();
});

test("event() checks what it is given", () => {
  assert.throws(() => event(1, { id: "a\nb" }), { reason: "BAD_HEADER" });
  assert.throws(() => event(1, { event: "a\0b" }), { reason: "BAD_HEADER" });
  for (const retryMs of [-1, 0.5, Number.NaN, 2 ** 60]) {
    assert.throws(
      () => event(1, { retryMs }),
      (error) => error instanceof LintelError && error.code === "invalid_argument",
    );
  }
});

test("to other callers an event is its value", async (context) => {
  const harness = await openHarness(context);
  const values: unknown[] = [];
  for await (const value of await harness.hub.request<ReadableStream<unknown>>("values")) values.push(value);
  assert.deepEqual(values, [{ hello: "Ada" }, "two\nlines\r\nand\rmore", { n: 3 }, "", "last: none"]);
});
