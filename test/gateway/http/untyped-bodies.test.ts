/** A body without a content type is bytes, unless it is an object or array in JSON; for workers of every kind. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect, createHub, type Hub, type Peer } from "../../../src/index.ts";
import { RawCaller } from "./harness.ts";

let hub: Hub;
let worker: Peer;

before(async () => {
  hub = await createHub({
    http: { port: 0, routes: [{ path: "/app", subject: "app", mode: "publish" }] },
    jobs: { services: { polled: {} } },
    listen: ["tcp://127.0.0.1:0"],
  });
  worker = await connect(hub.urls[0]!);
  const shown = (value: unknown): unknown =>
    value instanceof Uint8Array ? ["bytes", Buffer.from(value).toString("latin1")] : ["value", value];
  await hub.serve("near", shown);
  await worker.serve("far", shown);
});

after(async () => {
  await worker.close();
  await hub.close();
});

const deep = "[".repeat(101) + "]".repeat(101);
const bytes = (text: string): [string, unknown] => ["bytes", text];
const value = (of: unknown): [string, unknown] => ["value", of];

const BODIES: Readonly<Record<string, { body: string; read: [string, unknown] }>> = {
  text: { body: "hello", read: bytes("hello") },
  "a number": { body: "42", read: bytes("42") },
  "a text in quotation marks": { body: '"hello"', read: bytes('"hello"') },
  "a form": { body: "a=1&b=2", read: bytes("a=1&b=2") },
  "bytes that are no text": { body: "\u0089PNG\u0000\u00ff", read: bytes("\u0089PNG\u0000\u00ff") },
  "a log that begins as an array does": {
    body: "[2026-01-01] started\n",
    read: bytes("[2026-01-01] started\n"),
  },
  "a template in braces": { body: "{{name}}", read: bytes("{{name}}") },
  "an object that breaks off": { body: '{"a":', read: bytes('{"a":') },
  "an object with bytes that are no text": { body: '{"a":"\u00e9"}', read: bytes('{"a":"\u00e9"}') },
  "an array that is too deep": { body: deep, read: bytes(deep) },
  "white space": { body: " \n", read: bytes(" \n") },
  "an object": { body: '{"a":1}', read: value({ a: 1 }) },
  "an array": { body: "[1,2]", read: value([1, 2]) },
  "an object with white space around it": { body: ' \r\n{"a":1}\n', read: value({ a: 1 }) },
  nothing: { body: "", read: ["value", undefined] },
};

async function post(path: string, body: string, more = ""): Promise<string | undefined> {
  const caller = new RawCaller(Number(new URL(hub.httpUrl!).port));
  const sent = Buffer.from(body, "latin1");
  caller.send(`POST ${path} HTTP/1.1\r\nHost: localhost\r\n${more}Content-Length: ${sent.length}\r\n\r\n`);
  caller.send(sent);
  const response = await caller.response();
  caller.close();
  assert.equal(response?.status, 200, response?.body);
  return response?.body;
}

describe("without a content type", () => {
  for (const [name, { body, read }] of Object.entries(BODIES)) {
    test(name, async () => {
      const expected = JSON.parse(JSON.stringify(read)) as unknown;
      for (const subject of ["near", "far"])
        assert.deepEqual(JSON.parse((await post(`/${subject}`, body))!), expected, subject);
    });

    test(`${name}, for a worker that polls`, async () => {
      const asked = post("/service/polled", body);
      const given = await fetch(`${hub.httpUrl}/service/polled/jobs?wait=10`);
      const job = (await given.json()) as { id: string; originalRequest: unknown; encoding: string };
      const [kind, of] = read;
      const encoding = kind === "bytes" ? "base64" : of === undefined ? "none" : "json";
      assert.equal(job.encoding, encoding);
      if (kind === "bytes")
        assert.equal(Buffer.from(job.originalRequest as string, "base64").toString("latin1"), of);
      else assert.deepEqual(job.originalRequest, of ?? null);
      await fetch(`${hub.httpUrl}/jobs/${job.id}`, { method: "POST", body: "done" });
      assert.equal(await asked, "done");
    });
  }

  test("a Blob of fetch", async () => {
    const response = await fetch(`${hub.httpUrl}/far`, { method: "POST", body: new Blob(["hello"]) });
    assert.deepEqual(await response.json(), ["bytes", "hello"]);
  });

  test("in chunks", async () => {
    const caller = new RawCaller(Number(new URL(hub.httpUrl!).port));
    caller.send(
      "POST /far HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    assert.deepEqual(JSON.parse((await caller.response())!.body), ["bytes", "hello"]);
    caller.close();
  });
});

test("with one, the type decides", async () => {
  const typed = (type: string, body: string): Promise<unknown> =>
    post("/far", body, `Content-Type: ${type}\r\n`).then((text) => JSON.parse(text!) as unknown);
  assert.deepEqual(await typed("text/plain", "hello"), ["value", "hello"]);
  assert.deepEqual(await typed("application/json", "42"), ["value", 42]);
  assert.deepEqual(await typed("application/octet-stream", '{"a":1}'), ["bytes", '{"a":1}']);
});
