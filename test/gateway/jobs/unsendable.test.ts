/** Answers of workers that poll which their callers cannot be sent, and calls that are wrong in themselves. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect, createHub, type Hub, type Peer } from "../../../src/index.ts";

let hub: Hub;
let caller: Peer;

before(async () => {
  hub = await createHub({
    http: { port: 0 },
    jobs: { services: { odd: {} } },
    listen: ["tcp://127.0.0.1:0"],
  });
  caller = await connect(hub.urls[0]!);
});

after(async () => {
  await caller.close();
  await hub.close();
});

async function poll(): Promise<string> {
  const response = await fetch(`${hub.httpUrl}/service/odd/jobs?wait=10`);
  return ((await response.json()) as { id: string }).id;
}

function post(path: string, body: string): Promise<Response> {
  return fetch(`${hub.httpUrl}${path}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
}

test("an answer its caller does not take is BAD_ANSWER for the caller, and 400 for the worker", async () => {
  const long = { a: "x".repeat(40_000) };
  const asked = assert.rejects(caller.request("odd"), {
    code: "internal",
    reason: "BAD_ANSWER",
    retryable: false,
  });
  const id = await poll();
  const [result] = (await (
    await post("/jobs", JSON.stringify([{ id, response: 1, headers: long }]))
  ).json()) as { status: number; reason: string }[];
  assert.deepEqual([result?.status, result?.reason], [400, "BAD_ANSWER"]);
  await asked;
});

test("a call that is wrong in itself leaves the job where it is", async () => {
  await using own = await createHub({ http: { port: 0 }, jobs: { services: { odd: {} } }, listen: [] });
  const asked = fetch(`${own.httpUrl}/service/odd`, { method: "POST" });
  const given = await fetch(`${own.httpUrl}/service/odd/jobs?wait=10`);
  const { id } = (await given.json()) as { id: string };
  const entries = [
    { id, response: 1, headers: { a: "\u0151" } },
    { id, response: 1, headers: { "a b": "1" } },
    { id, response: 1, headers: { a: "1\r\nb: 2" } },
    { id, response: 1, headers: { a: "x".repeat(70_000) } },
    { id, response: 1, headers: { ":status": "200" } },
    { id, response: 1, status: 99 },
    { id, response: 1 },
  ];
  const answered = await fetch(`${own.httpUrl}/jobs`, {
    method: "POST",
    body: JSON.stringify(entries),
    headers: { "content-type": "application/json" },
  });
  const results = (await answered.json()) as { status: number }[];
  assert.deepEqual(
    results.map(({ status }) => status),
    [400, 400, 400, 431, 400, 400, 200],
  );
  const response = await asked;
  assert.deepEqual([response.status, await response.text()], [200, "1"]);
});
