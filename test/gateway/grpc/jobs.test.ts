/** Requests, answers, failures and cancels, by a stock client. Rules are those of spec/lintel/v1/worker.proto. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LintelError } from "../../../src/message/failure.ts";
import { openGateway } from "./harness.ts";

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64");

test("W-1, W-10, W-40: a stock client registers, is sent a job, and its answer reaches who asked", async () => {
  await using harness = await openGateway();
  const call = harness.call();
  await call.register("greet.*", { registration: 7 });
  const asking = harness.peer.request(
    "greet.ada",
    { name: "Ada" },
    { headers: { "x-one": "1" }, timeoutMs: 5_000 },
  );
  const { job, deadline_ms: left, ...rest } = await call.job();
  assert.ok(Number(left) > 0 && Number(left) <= 5_000, `${String(left)} ms`);
  assert.deepEqual(rest, {
    registration: 7,
    subject: "greet.ada",
    payload: base64('{"name":"Ada"}'),
    content_type: "application/json",
    headers: [{ name: "x-one", value: "1" }],
    attempt: 1,
  });
  call.send({ answer: { job, payload: base64('{"hello":"Ada"}'), content_type: "application/json" } });
  assert.deepEqual(await asking, { hello: "Ada" });
  assert.deepEqual(harness.gateway.stats(), { workers: 1, jobs: 0, refused: 0, rejected: 0, malformed: 0 });
});

test("values of all kinds, both ways, and a megabyte", async () => {
  await using harness = await openGateway();
  const call = harness.call({ echo: true });
  await call.register("echo", { concurrency: 2 });
  const bytes = new Uint8Array(1_048_576).map((_, index) => index * 31);
  for (const value of [{ a: [1, null] }, "Grüße", "", new Uint8Array([0, 255]), undefined, 7, bytes])
    assert.deepEqual(await harness.peer.request("echo", value), value);
  const seven = Array.from({ length: 7 }, () => harness.peer.request("echo", bytes));
  for (const echoed of await Promise.all(seven)) assert.deepEqual(echoed, bytes);
});

test("an answer's headers, status and media type", async () => {
  await using harness = await openGateway();
  const call = harness.call();
  await call.register("page");
  const asking = harness.peer.request("page", undefined, { full: true });
  const { job, ...rest } = await call.job();
  assert.equal(rest["content_type"], undefined, "no value");
  const headers = [
    ...Array.from({ length: 900 }, () => ({ name: "x", value: "y" })),
    { name: "Set-Cookie", value: "a=1" },
    { name: "set-cookie", value: "b=2" },
  ];
  call.send({
    answer: { job, payload: base64("<p>"), content_type: "text/html", headers, status: 201 },
  });
  const answer = await asking;
  assert.deepEqual(answer.headers.getAll("set-cookie"), ["a=1", "b=2"]);
  assert.deepEqual([answer.headers.get(":status"), answer.headers.get("content-type")], ["201", "text/html"]);
});

test("W-60, W-61: failures keep their code, reason, text and details", async () => {
  await using harness = await openGateway();
  const call = harness.call();
  await call.register("fails", { concurrency: 1 });
  const failing = async (sent: Readonly<Record<string, unknown>>): Promise<LintelError> => {
    const asking = harness.peer.request("fails");
    const { job } = await call.job();
    call.send({ failed: { job, failure: sent } });
    return asking.then(
      () => assert.fail("it was answered"),
      (error: unknown) => error as LintelError,
    );
  };
  const sent = { code: "not_found", reason: "NO_SUCH_CAT", message: "no cat", retryable: true };
  const { code, reason, message, retryable, details } = await failing({
    ...sent,
    details: base64('{"id":3}'),
  });
  assert.deepEqual({ code, reason, message, retryable, details }, { ...sent, details: { id: 3 } });
  const odd = await failing({ code: "teapot", reason: "not a reason", message: "x".repeat(5_000) });
  assert.deepEqual([odd.code, odd.reason, odd.message.length], ["unknown", "UNKNOWN", 2_048]);
  assert.deepEqual([(await failing({})).code, (await failing({})).reason], ["internal", "INTERNAL"]);
});

test("W-50, W-70: a job whose caller has left is canceled, and its answer rejected", async () => {
  await using harness = await openGateway();
  const call = harness.call();
  await call.register("slow", { concurrency: 1 });
  const leaving = new AbortController();
  const asking = harness.peer.request("slow", undefined, { signal: leaving.signal });
  const { job } = await call.job();
  leaving.abort();
  await assert.rejects(asking);
  const { failure, job: canceled } = await call.hears("cancel");
  assert.equal(canceled, job);
  assert.equal((failure as { reason: string }).reason, "CALLER_GONE");
  call.send({ answer: { job } }, { failed: { job: 4_000_000_000, failure: {} } });
  for (const held of [job, 4_000_000_000]) {
    const rejected = await call.hears("rejected");
    assert.equal(rejected["job"], held);
    assert.equal((rejected["failure"] as { reason: string }).reason, "NO_SUCH_JOB");
  }
  const again = harness.peer.request("slow"); // its place is free
  call.send({ answer: { job: (await call.job()).job } });
  assert.equal(await again, undefined);
});

test("W-70: a deadline ends a job at both ends", async () => {
  await using harness = await openGateway();
  const call = harness.call();
  await call.register("slow");
  const asking = harness.peer.request("slow", undefined, { timeoutMs: 150 });
  const refused = assert.rejects(asking, { code: "deadline_exceeded", reason: "DEADLINE" });
  const { job } = await call.job();
  const { failure, ...about } = await call.hears("cancel");
  assert.deepEqual(about, { job });
  assert.equal((failure as { code: string }).code, "deadline_exceeded");
  await refused;
});

test("W-51: an answer that cannot be sent is rejected, and its caller is told", async () => {
  await using harness = await openGateway({}, { payload: 1_000, headers: 20_000 });
  const call = harness.call();
  await call.register("bad", { concurrency: 1 });
  const wrong: [reason: string, answer: Readonly<Record<string, unknown>>][] = [
    ["TOO_LARGE", { payload: base64(new Uint8Array(1_001)) }],
    ["HEADERS_TOO_LARGE", { headers: [{ name: "a", value: "x".repeat(20_001) }] }],
    ["BAD_HEADER", { headers: [{ name: "a b", value: "x" }] }],
    ["BAD_HEADER", { headers: [{ name: "a", value: "x\ny:z" }] }],
    ["BAD_HEADER", { headers: [{ name: ":status", value: "200" }] }],
    ["BAD_HEADER", { content_type: "text/x\n" }],
    ["INVALID_ARGUMENT", { status: 99 }],
  ];
  for (const [reason, answer] of wrong) {
    const refused = assert.rejects(harness.peer.request("bad"), { code: "internal", reason: "BAD_ANSWER" });
    const { job } = await call.job();
    call.send({ answer: { job, ...answer } });
    const rejected = await call.hears("rejected");
    assert.equal((rejected["failure"] as { reason: string }).reason, reason);
    await refused;
  }
  assert.equal(harness.gateway.stats().rejected, wrong.length);
});

test("W-42: a request with a stream in it is not for a gRPC worker", async () => {
  await using harness = await openGateway();
  const call = harness.call();
  await call.register("streams", { credit: 1 });
  const stream = new ReadableStream({ start: (controller) => controller.close() });
  await assert.rejects(harness.peer.request("streams", { stream }), { reason: "STREAMS_UNSUPPORTED" });
  void harness.peer.request("streams").catch(() => undefined); // the credit is still there
  await call.job();
});
