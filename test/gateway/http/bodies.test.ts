import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Format, Message } from "../../../src/message/message.ts";
import { openGateway, RawCaller, reasonOf, text, type RawResponse } from "./harness.ts";

const HEAD = "POST /x HTTP/1.1\r\nHost: a\r\n";

function assertTooLarge(response: RawResponse | undefined): void {
  assert.equal(response?.status, 413);
  assert.equal(response.headers.get("connection"), "close");
  assert.equal(reasonOf(response.body), "TOO_LARGE");
}

test("a long body arrives whole, declared or chunked, and goes back", async (context) => {
  const gateway = await openGateway(context, { bodyLimit: 400_000 });
  const { jobs } = gateway.serve("x", (job) => Message.ofBytes(job.body, "", Format.bytes));
  const body = randomBytes(300_000);
  const declared = await fetch(`${gateway.url}/x`, { method: "POST", body });
  assert.ok(body.equals(Buffer.from(await declared.arrayBuffer())));
  const stream = new ReadableStream({
    start(controller) {
      for (let at = 0; at < body.length; at += 7_001) controller.enqueue(body.subarray(at, at + 7_001));
      controller.close();
    },
  });
  const pieces = await fetch(`${gateway.url}/x`, {
    method: "POST",
    body: stream,
    duplex: "half",
  });
  assert.ok(body.equals(Buffer.from(await pieces.arrayBuffer())));
  assert.ok(jobs.every((job) => job.body.equals(body)));
});

test("a body of single bytes arrives whole", async (context) => {
  const gateway = await openGateway(context);
  gateway.serve("x", (job) => Message.ofBytes(job.body, "", Format.bytes));
  const body = Array.from({ length: 3_000 }, (_, index) => String(index % 10)).join("");
  const chunks = Array.from(body, (digit) => `1\r\n${digit}\r\n`).join("");
  const caller = new RawCaller(gateway.port).send(
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
  );
  assert.equal((await caller.response())?.body, body);
  caller.close();
});

test("a body at the limit passes, one byte more does not", async (context) => {
  const gateway = await openGateway(context, { bodyLimit: 10 });
  const { jobs } = gateway.serve("x", () => text("ok"));
  for (const framing of [
    (length: number) => `Content-Length: ${length}\r\n\r\n${"a".repeat(length)}`,
    (length: number) =>
      `Transfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n${"a".repeat(length)}\r\n0\r\n\r\n`,
  ]) {
    const caller = new RawCaller(gateway.port).send(HEAD + framing(10));
    assert.equal((await caller.response())?.status, 200);
    assertTooLarge(await caller.send(HEAD + framing(11)).response());
    caller.close();
  }
  assert.equal(jobs.length, 2);
});

test("a declared length over the limit is refused before the body comes", async (context) => {
  const gateway = await openGateway(context);
  const caller = new RawCaller(gateway.port).send(`${HEAD}Content-Length: 1048577\r\n\r\n`);
  assertTooLarge(await caller.response());
  assert.equal(await caller.end(), "");
  caller.close();
});

test("a caller that goes on sending gets to read the refusal", async (context) => {
  const gateway = await openGateway(context, { bodyLimit: 1_000 });
  const piece = `4000\r\n${"a".repeat(0x4000)}\r\n`;
  for (const head of ["Content-Length: 8000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"]) {
    const caller = new RawCaller(gateway.port).send(HEAD + head);
    let failed: Error | undefined;
    caller.socket.on("error", (error) => {
      failed = error;
    });
    for (let count = 0; count < 200; count++) caller.send(piece);
    assertTooLarge(await caller.response());
    assert.equal(await caller.end(), "");
    assert.equal(failed, undefined);
    caller.close();
  }
});

test("Expect: 100-continue is answered when the body is welcome", async (context) => {
  const gateway = await openGateway(context, {
    bodyLimit: 10,
    routes: [{ path: "/get", subject: "x", method: "GET" }],
  });
  gateway.serve("x", (job) => text(job.body.toString()));
  const expecting = (path: string, length: number): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
  const welcome = new RawCaller(gateway.port).send(expecting("/x", 3));
  assert.equal((await welcome.response())?.status, 100);
  assert.equal((await welcome.send("abc").response())?.body, "abc");
  welcome.close();
  for (const [path, length, status] of [
    ["/x", 11, 413],
    ["/a%20b", 3, 400],
    ["/get", 3, 405],
  ] as const) {
    const caller = new RawCaller(gateway.port).send(expecting(path, length));
    const response = await caller.response();
    assert.deepEqual([response?.status, response?.headers.get("connection")], [status, "close"]);
    caller.close();
  }
});

test("a request refused before its body leaves the connection usable", async (context) => {
  const gateway = await openGateway(context);
  gateway.serve("x", () => text("served"));
  const caller = new RawCaller(gateway.port);
  caller.send(`POST /a%20b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel`);
  assert.equal((await caller.response())?.status, 400);
  caller.send("lo").send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await caller.response())?.body, "served");
  caller.close();
});
