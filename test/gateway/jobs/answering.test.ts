import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test, type TestContext } from "node:test";
import { json, text } from "../http/harness.ts";
import { openHarness, problemOf, type GivenJob, type Harness } from "./harness.ts";
import { until } from "../../house/until.ts";

const SERVICES = {
  services: { a: {}, again: { delivery: "at-least-once", leaseMs: 60, attempts: 3 } },
} as const;

/** A harness with a request under way, and the job it has become. */
async function withJob(
  context: TestContext,
  service = "a",
  query = "",
): Promise<{ harness: Harness; asked: Promise<Response>; job: GivenJob; gone: AbortController }> {
  const harness = await openHarness(context, { jobs: SERVICES });
  const gone = new AbortController();
  const asked = harness.ask(service, "{}", {}, gone.signal);
  await harness.inFlight(1);
  return { harness, asked, job: await harness.poll(service, query), gone };
}

test("an answer has status, headers and a type", async (context) => {
  const { harness, asked, job } = await withJob(context);
  await harness.post(`/jobs/${job.id}?status=201`, "<a/>", {
    "content-type": "application/xml",
    "lintel-header-location": "/a/1",
    "lintel-header-x-y": "z",
    "x-other": "stays behind",
  });
  const answer = await asked;
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("content-type"), "application/xml");
  assert.equal(answer.headers.get("location"), "/a/1");
  assert.equal(answer.headers.get("x-y"), "z");
  assert.equal(answer.headers.has("x-other"), false);
  assert.equal(await answer.text(), "<a/>");
});

test("an answer without a type is JSON by its first character, or text, or bytes", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const cases: [body: string | Uint8Array, type: string | null][] = [
    ['{"a":1}', "application/json"],
    ["[1]", "application/json"],
    ["plain é", "text/plain; charset=utf-8"],
    [new Uint8Array([0xff, 0x00]), "application/octet-stream"],
    ["", null],
  ];
  for (const [body, type] of cases) {
    const asked = harness.ask("a");
    const { id } = await harness.poll("a");
    await harness.post(`/jobs/${id}`, body);
    const answer = await asked;
    assert.equal(answer.headers.get("content-type"), type);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), Buffer.from(body));
  }
});

test("a second answer is told that the job has ended, and changes nothing", async (context) => {
  const { harness, asked, job } = await withJob(context);
  assert.equal((await harness.post(`/jobs/${job.id}`, "first")).status, 200);
  for (const path of ["", "/response", "/error", "/lease?lease=5s"])
    assert.deepEqual(await problemOf(await harness.post(`/jobs/${job.id}${path}`, "second")), [
      409,
      "JOB_ENDED",
    ]);
  const released = await harness.call(`/jobs/${job.id}`, { method: "DELETE" });
  assert.deepEqual(await problemOf(released), [409, "JOB_ENDED"]);
  assert.equal(await (await asked).text(), "first");
});

test("an id that was never given is 404, whatever it looks like", async (context) => {
  const { harness, asked, job } = await withJob(context);
  const ids = [
    randomUUID(),
    job.id.toUpperCase(),
    job.id.slice(1),
    "1",
    "%00",
    "..%2f",
    "a".repeat(500),
    "__proto__",
  ];
  for (const id of ids) {
    for (const verb of ["", "/response", "/error", "/lease?lease=1s"])
      assert.deepEqual(await problemOf(await harness.post(`/jobs/${id}${verb}`, "guessed")), [
        404,
        "NO_SUCH_JOB",
      ]);
    assert.equal((await harness.call(`/jobs/${id}`, { method: "DELETE" })).status, 404);
  }
  assert.equal((await harness.post("/jobs/", "x")).status, 400, "this is the call for several");
  await harness.post(`/jobs/${job.id}`, "known");
  assert.equal(await (await asked).text(), "known");
});

test("an answer for a caller that has left is 410", async (context) => {
  const { harness, asked, job, gone } = await withJob(context);
  gone.abort();
  await assert.rejects(asked);
  await harness.inFlight(0);
  assert.deepEqual(await problemOf(await harness.post(`/jobs/${job.id}`, "late")), [410, "JOB_WITHDRAWN"]);
});

test("an answer after the deadline is 410", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const asked = harness.ask("a", "{}", { prefer: "wait=1" });
  await harness.inFlight(1);
  const job = await harness.poll("a");
  assert.ok(job.deadline <= 1_000);
  assert.deepEqual(await problemOf(await asked), [504, "DEADLINE"]);
  assert.deepEqual(await problemOf(await harness.post(`/jobs/${job.id}`, "late")), [410, "JOB_WITHDRAWN"]);
});

test("a failure in words, in parameters, and as an object", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const cases: [query: string, body: string, status: number, expected: object][] = [
    ["", "it broke", 500, { code: "internal", reason: "INTERNAL", detail: "it broke", retryable: false }],
    [
      "?code=not_found&reason=NO_USER",
      "no such user",
      404,
      { code: "not_found", reason: "NO_USER", detail: "no such user" },
    ],
    [
      "",
      '{"code":"unavailable","reason":"BUSY","message":"later","retryable":true,"details":{"in":5}}',
      503,
      { code: "unavailable", reason: "BUSY", detail: "later", retryable: true, details: { in: 5 } },
    ],
    [
      "",
      '{"type":"about:blank","detail":"as problems say it","code":"aborted"}',
      409,
      { detail: "as problems say it", reason: "ABORTED" },
    ],
  ];
  for (const [query, body, status, expected] of cases) {
    const asked = harness.ask("a");
    const { id } = await harness.poll("a");
    const called = await harness.post(`/jobs/${id}/error${query}`, body);
    assert.equal(called.status, 200, await called.text());
    const answer = await asked;
    assert.equal(answer.status, status);
    const problem = (await answer.json()) as object;
    assert.deepEqual({ ...problem, ...expected }, problem);
  }
});

/** JSON that can be read, and is too deep to be written again. */
const DEEP = "[".repeat(200_000) + "]".repeat(200_000);

test("what is wrong in a call is said, and the job stays with its worker", async (context) => {
  const { harness, asked, job } = await withJob(context);
  const calls: [path: string, body: string][] = [
    ["?status=99", "x"],
    ["?status=600", "x"],
    ["?sttus=200", "x"],
    ["/error?code=nonsense", "x"],
    ["/error?reason=lower", "x"],
    ["/error", '{"code":'],
    ["/error", '{"message":5}'],
    ["/error", '{"retryable":"perhaps","retryable":7}'],
    ["/error", `{"details":${DEEP}}`],
    ["/lease", ""],
    ["/lease?lease=0", ""],
    ["/lease?lease=soon", ""],
    ["/lease?lease=1s&lease=2s", ""],
  ];
  for (const [path, body] of calls)
    assert.deepEqual(
      await problemOf(await harness.post(`/jobs/${job.id}${path}`, body)),
      [400, "BAD_REQUEST"],
      path,
    );
  assert.deepEqual(await problemOf(await harness.post(`/jobs/${job.id}/what`, "")), [404, "NOT_FOUND"]);
  assert.deepEqual(await problemOf(await harness.post(`/jobs/${job.id}/response/x`, "")), [404, "NOT_FOUND"]);
  const wrong = await harness.call(`/jobs/${job.id}`);
  assert.equal(wrong.headers.get("allow"), "POST, DELETE, OPTIONS");
  assert.deepEqual(await problemOf(wrong), [405, "METHOD_NOT_ALLOWED"]);
  const options = await harness.call(`/jobs/${job.id}`, { method: "OPTIONS" });
  assert.deepEqual([options.status, options.headers.get("allow")], [204, "POST, DELETE, OPTIONS"]);
  for (const query of ["?max=0", "?max=1001", "?max=x", "?wait=x", "?lease=0", "?limit=1", "?max=1&max=2"])
    assert.deepEqual(
      await problemOf(await harness.call(`/service/a/jobs${query}`)),
      [400, "BAD_REQUEST"],
      query,
    );
  const raw = await harness.call("/service/a/jobs?max=2", {
    headers: { accept: "application/octet-stream" },
  });
  assert.deepEqual(await problemOf(raw), [400, "BAD_REQUEST"]);
  const several = await harness.post(
    "/jobs",
    JSON.stringify([{ id: job.id }, { id: "x" }]).replace('"x"', `"x","response":${DEEP}`),
  );
  assert.deepEqual(await problemOf(several), [400, "BAD_REQUEST"], "none of them counts");
  await harness.post(`/jobs/${job.id}`, "fine");
  assert.equal(await (await asked).text(), "fine");
});

test("a job that is given back goes to the next poll", async (context) => {
  const { harness, asked, job } = await withJob(context);
  const released = await harness.call(`/jobs/${job.id}`, { method: "DELETE" });
  assert.equal(released.status, 204);
  const again = await harness.poll("a");
  assert.notEqual(again.id, job.id);
  assert.equal(again.attempts, 2);
  assert.ok(again.deadline <= job.deadline);
  assert.deepEqual(await problemOf(await harness.post(`/jobs/${job.id}`, "old")), [409, "JOB_ENDED"]);
  await harness.post(`/jobs/${again.id}`, "new");
  assert.equal(await (await asked).text(), "new");
});

test("a job whose lease runs out fails, where it may be executed once at most", async (context) => {
  const { harness, asked, job } = await withJob(context, "a", "?lease=30ms");
  assert.ok(job.lease <= 30);
  assert.deepEqual(await problemOf(await asked), [502, "WORKER_LOST"]);
  assert.deepEqual(await problemOf(await harness.post(`/jobs/${job.id}`, "late")), [410, "LEASE_EXPIRED"]);
});

test("a job whose lease runs out goes to another, where it may be executed again, but not for ever", async (context) => {
  const { harness, asked, job } = await withJob(context, "again");
  assert.ok(job.lease <= 60, "the lease of the service");
  const second = await harness.poll("again", "?wait=10s");
  assert.equal(second.attempts, 2);
  const late = await harness.post(`/jobs/${job.id}`, "of the first");
  assert.deepEqual(await problemOf(late), [410, "LEASE_EXPIRED"]);
  const third = await harness.poll("again", "?wait=10s&lease=60ms");
  assert.equal(third.attempts, 3);
  assert.deepEqual(await problemOf(await asked), [502, "WORKER_LOST"]);
  assert.equal((await harness.call("/service/again/jobs?wait=0")).status, 204);
});

test("a lease can be extended, never past the deadline, and not made shorter", async (context) => {
  const { harness, asked, job } = await withJob(context, "again", "?lease=1500ms");
  const extended = await harness.post(`/jobs/${job.id}/lease?lease=20s`);
  assert.equal(extended.status, 200);
  const terms = (await extended.json()) as { id: string; lease: number; deadline: number };
  assert.equal(terms.id, job.id);
  assert.ok(terms.lease > 15_000 && terms.lease <= 20_000, `${terms.lease} ms`);
  const shorter = await harness.post(`/jobs/${job.id}/lease?lease=10ms`);
  assert.ok(((await shorter.json()) as { lease: number }).lease > 15_000);
  const longer = await harness.post(`/jobs/${job.id}/lease?lease=1h`);
  const most = (await longer.json()) as { lease: number; deadline: number };
  assert.equal(most.lease, most.deadline);
  const before = harness.engine.clock.now();
  await until(() => harness.engine.clock.now() > before + 1_600); // past the first lease
  assert.equal((await harness.post(`/jobs/${job.id}`, "in time")).status, 200);
  assert.equal(await (await asked).text(), "in time");
});

test("several answers in one call, each by itself", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const asked = Array.from({ length: 6 }, () => harness.ask("a"));
  await harness.inFlight(6);
  const jobs = (await (await harness.call("/service/a/jobs?max=6")).json()) as GivenJob[];
  const ids = jobs.map(({ id }) => id);
  const entries = [
    { id: ids[0], response: { a: 1 } },
    { id: ids[1], response: "text", encoding: "text", status: 202, headers: { "x-a": ["1", "2"] } },
    { id: ids[2], response: "/wA=", encoding: "base64", headers: { "content-type": "image/png" } },
    { id: ids[3], error: { code: "not_found", message: "no" } },
    { id: ids[4], release: true },
    { id: ids[5], response: "x", encoding: "rot13" },
    { id: ids[5], response: 5, encoding: "text" },
    { id: ids[5], headers: { ":status": "200" } },
    { id: ids[5], headers: { "b ad": "x" } },
    { id: ids[5], headers: { bad: 5 } },
    { id: ids[5], error: "x" },
    { id: ids[5], status: { a: 1 } },
    { id: ids[0], response: 2 },
    { id: randomUUID(), response: 2 },
  ];
  const response = await harness.post("/jobs", JSON.stringify(entries));
  const results = (await response.json()) as { id: string; status: number; reason?: string }[];
  assert.deepEqual(
    results.map(({ status, reason }) => (reason === undefined ? status : reason)),
    [
      200,
      200,
      200,
      200,
      200,
      "BAD_REQUEST",
      "BAD_REQUEST",
      "BAD_REQUEST",
      "BAD_HEADER",
      "BAD_HEADER",
      "BAD_REQUEST",
      "BAD_REQUEST",
      "JOB_ENDED",
      "NO_SUCH_JOB",
    ],
  );
  assert.deepEqual(
    results.map(({ id }) => id),
    entries.map(({ id }) => id),
  );
  const again = await harness.poll("a");
  assert.equal(again.attempts, 2);
  await harness.post(`/jobs/${again.id}`, "again");
  await harness.post(`/jobs/${ids[5]}`, "last");
  const answers = await Promise.all(asked);
  const [first, second, third, fourth] = answers as [Response, Response, Response, Response];
  assert.deepEqual(await first.json(), { a: 1 });
  assert.equal(second.status, 202);
  assert.equal(second.headers.get("x-a"), "1, 2");
  assert.equal(third.headers.get("content-type"), "image/png");
  assert.deepEqual(Buffer.from(await third.arrayBuffer()), Buffer.from([0xff, 0]));
  assert.deepEqual(await problemOf(fourth), [404, "NOT_FOUND"]);
  for (const body of ["", "{}", "[1]", "[{}]", '[{"id":1}]', "nonsense"])
    assert.deepEqual(await problemOf(await harness.post("/jobs", body)), [400, "BAD_REQUEST"], body);
  const many = JSON.stringify(Array.from({ length: 1_001 }, () => ({ id: "x" })));
  assert.deepEqual(await problemOf(await harness.post("/jobs", many)), [400, "BAD_REQUEST"]);
});

test("callers that are programs get values and failures, too", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const outcomes: unknown[] = [];
  const sink = {
    answered: (_tag: number, answer: { payload(): Uint8Array; headText(): string; format: number }) =>
      void outcomes.push([Buffer.from(answer.payload()).toString(), answer.headText(), answer.format]),
    failed: (_tag: number, why: { code: string; reason: string; message: string }) =>
      void outcomes.push([why.code, why.reason, why.message]),
  };
  for (const request of [json({ n: 1 }), text("2")])
    harness.engine.request(harness.engine.route("a"), request, 5_000, sink, 0);
  const one = await harness.poll("a");
  assert.equal(one.method, undefined);
  assert.deepEqual(one.headers, {});
  await harness.post(`/jobs/${one.id}`, '{"n":2}');
  await harness.post(`/jobs/${(await harness.poll("a")).id}/error?code=aborted`, "no");
  assert.deepEqual(outcomes, [
    ['{"n":2}', "", 0],
    ["aborted", "ABORTED", "no"],
  ]);
});
