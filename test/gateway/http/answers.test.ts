import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, type Failure } from "../../../src/message/failure.ts";
import { Format, Message } from "../../../src/message/message.ts";
import { openGateway, RawCaller, reasonOf, text } from "./harness.ts";

const bytes = (body: string, head: string, format: Format): Message =>
  Message.ofBytes(Buffer.from(body), head, format);

/** The same answer as it looks when it came over a wire. */
function received(body: string, head: string, format: Format): Message {
  const message = new Message();
  message.format = format;
  message.head = undefined;
  message.bytes = Buffer.from(`..${head}${body}..`);
  message.headStart = 2;
  message.payloadStart = 2 + Buffer.byteLength(head);
  message.end = message.payloadStart + Buffer.byteLength(body);
  return message;
}

test("answers become responses", async (context) => {
  const gateway = await openGateway(context);
  let answer = text("");
  gateway.serve("x", () => answer);
  const table: [
    body: string,
    head: string,
    format: Format,
    status: number,
    type: string | null,
    sent: string,
  ][] = [
    ["[1]", "", Format.typed, 200, "application/json", "[1]"],
    ["é", "", Format.text, 200, "text/plain; charset=utf-8", "é"],
    ["\u0001", "", Format.bytes, 200, "application/octet-stream", "\u0001"],
    ["", "", Format.typed, 204, null, ""],
    ["", "", Format.text, 200, "text/plain; charset=utf-8", ""],
    ["", "", Format.bytes, 200, "application/octet-stream", ""],
    ["", "x-a:1\n", Format.typed, 204, null, ""],
    ["", ":status:200\n", Format.typed, 200, null, ""],
    ["{}", ":status:418\n", Format.typed, 418, "application/json", "{}"],
    ["<p>", "content-type:text/html\n", Format.text, 200, "text/html", "<p>"],
    ["hidden", ":status:204\n", Format.text, 204, null, ""],
    ["hidden", ":status:304\netag:1\n", Format.text, 304, null, ""],
    ["hidden", ":status:205\n", Format.text, 205, null, ""],
    ["x".repeat(10_000), "", Format.text, 200, "text/plain; charset=utf-8", "x".repeat(10_000)],
  ];
  for (const make of [bytes, received]) {
    for (const [body, head, format, status, type, sent] of table) {
      answer = make(body, head, format);
      const response = await fetch(`${gateway.url}/x`);
      const label = `${make.name} ${body.slice(0, 10)} ${head}`;
      assert.deepEqual([response.status, response.headers.get("content-type")], [status, type], label);
      assert.equal(await response.text(), sent, label);
      if (status !== 204 && status !== 304) {
        assert.equal(response.headers.get("content-length"), String(Buffer.byteLength(sent)), label);
      }
    }
  }
});

test("a value made in this process is encoded on its way out", async (context) => {
  const gateway = await openGateway(context);
  const encoder = { encode: (value: unknown): string => JSON.stringify(value) };
  let value: unknown = "plain";
  gateway.serve("x", () => Message.ofValue(value, encoder, Format.typed));
  for (value of ["plain", "é", { a: "€" }]) {
    assert.deepEqual(await (await fetch(`${gateway.url}/x`)).json(), value);
  }
});

test("an answer that cannot be encoded is the gateway's failure, without its text", async (context) => {
  const gateway = await openGateway(context);
  const encoder = {
    encode: (): string => {
      throw new Error("secret");
    },
  };
  gateway.serve("x", () => Message.ofValue(1, encoder, Format.typed));
  const response = await fetch(`${gateway.url}/x`);
  const body = await response.text();
  assert.deepEqual([response.status, reasonOf(body)], [500, "INTERNAL"]);
  assert.doesNotMatch(body, /secret|at /);
  assert.equal(gateway.faults.length, 1);
});

test("headers of answers are passed on, connection headers are not", async (context) => {
  const gateway = await openGateway(context);
  const head =
    "set-cookie:a=1\nset-cookie:b=2\nconnection:x-hop\nx-hop:1\nkeep-alive:1\ntransfer-encoding:chunked\n" +
    "content-length:999\nupgrade:h2c\nproxy-authenticate:x\n:path:/x\nx-latin:\u00e9\n";
  gateway.serve("x", () => bytes("ok", head, Format.text));
  const caller = new RawCaller(gateway.port).send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  const response = await caller.response();
  caller.close();
  assert.equal(response?.body, "ok");
  assert.deepEqual(response.head.match(/^(set-cookie|x-|trans|up|proxy|content-l).*$/gim), [
    "set-cookie: a=1",
    "set-cookie: b=2",
    "x-latin: \u00e9",
    "Content-Length: 2",
  ]);
});

test("an answer HTTP cannot carry is 502", async (context) => {
  const gateway = await openGateway(context);
  const bad = [
    ":status:100\n",
    ":status:600\n",
    ":status:abc\n",
    ":status:\n",
    "x-a:\u20ac\n",
    "a b:1\n",
    "x:\u0000\n",
  ];
  let head = "";
  gateway.serve("x", () => bytes("ok", head, Format.text));
  for (head of [...bad, "x-a:1\rset-cookie:evil\n"]) {
    const response = await fetch(`${gateway.url}/x`);
    assert.deepEqual(
      [response.status, reasonOf(await response.text())],
      [502, "BAD_ANSWER"],
      JSON.stringify(head),
    );
  }
});

test("HEAD gets the same headers and no body", async (context) => {
  const gateway = await openGateway(context);
  gateway.serve("x", () => bytes("[1,2]", "x-a:1\n", Format.typed));
  const caller = new RawCaller(gateway.port).send(
    "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  const head = await caller.response(true);
  assert.deepEqual(
    [head?.status, head?.headers.get("content-length"), head?.headers.get("x-a")],
    [200, "5", "1"],
  );
  assert.equal((await caller.response())?.body, "[1,2]");
  caller.close();
  const problem = await fetch(`${gateway.url}/nobody`, { method: "HEAD" });
  assert.deepEqual([problem.status, await problem.text()], [503, ""]);
});

test("failures become problem details", async (context) => {
  const gateway = await openGateway(context);
  let failed: Failure = failure("HANDLER_FAILED");
  gateway.serve("x", () => failed);
  const get = async (): Promise<[Response, Record<string, unknown>]> => {
    const response = await fetch(`${gateway.url}/x`);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    return [response, (await response.json()) as Record<string, unknown>];
  };
  failed = { code: "already_exists", reason: "EMAIL_TAKEN", message: "é", retryable: false };
  failed = { ...failed, details: Buffer.from('{"field":"email"}') };
  assert.deepEqual((await get())[1], {
    type: "urn:lintel:EMAIL_TAKEN",
    title: "already exists",
    status: 409,
    detail: "é",
    code: "already_exists",
    reason: "EMAIL_TAKEN",
    retryable: false,
    details: { field: "email" },
  });
  failed = { ...failed, details: Buffer.from("{nonsense") };
  assert.equal("details" in (await get())[1], false);
  failed = { ...failed, details: Buffer.from("[".repeat(20_000) + "]".repeat(20_000)) };
  assert.equal((await get())[0].status, 409);
  failed = { ...failed, details: undefined, reason: 'not a "reason"\r\n' };
  assert.equal((await get())[1]["reason"], "ALREADY_EXISTS");
  failed = failure("QUEUE_FULL");
  const [response, problem] = await get();
  assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "1"]);
  assert.deepEqual([problem["title"], problem["retryable"]], [failed.message, true]);
  failed = failure("WORKER_LOST");
  assert.equal((await get())[0].headers.get("retry-after"), null);
});

test("nobody serving fails at once, and a deadline in time", async (context) => {
  const gateway = await openGateway(context, { timeoutMs: 30 });
  const absent = await fetch(`${gateway.url}/nobody`);
  assert.deepEqual([absent.status, absent.headers.get("retry-after")], [503, "1"]);
  assert.equal(reasonOf(await absent.text()), "NO_RESPONDERS");
  gateway.serve("slow", () => undefined);
  const late = await fetch(`${gateway.url}/slow`);
  assert.deepEqual([late.status, reasonOf(await late.text())], [504, "DEADLINE"]);
});

test("a log that throws ends nothing", async (context) => {
  const faults: unknown[] = [];
  const gateway = await openGateway(context, {
    onRequest: () => {
      throw new Error("disk full");
    },
    onFault: (fault) => faults.push(fault),
  });
  gateway.serve("x", () => text("ok"));
  assert.equal(await (await fetch(`${gateway.url}/x`)).text(), "ok");
  assert.equal((await fetch(`${gateway.url}/nobody`)).status, 503);
  const caller = new RawCaller(gateway.port).send("garbage\r\n\r\n");
  assert.equal((await caller.response())?.status, 400);
  caller.close();
  assert.equal(faults.length, 3);
});

test("every request leaves one record", async (context) => {
  const gateway = await openGateway(context);
  gateway.serve("x", () => text("ok"));
  await (await fetch(`${gateway.url}/x?secret=1`)).text();
  await (await fetch(`${gateway.url}/nobody`, { method: "POST", body: "b" })).text();
  await (await fetch(`${gateway.url}/a%20b`)).text();
  const shown = gateway.records.map(({ method, path, subject, status, reason }) => [
    method,
    path,
    subject,
    status,
    reason,
  ]);
  assert.deepEqual(shown, [
    ["GET", "/x", "x", 200, undefined],
    ["POST", "/nobody", "nobody", 503, "NO_RESPONDERS"],
    ["GET", "/a%20b", undefined, 400, "BAD_SUBJECT"],
  ]);
  assert.ok(gateway.records.every(({ ms }) => ms >= 0 && ms < 5_000));
});
