/** Answering a job and taking the next one by one call. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyBudget } from "../../../src/gateway/http/body-limit.ts";
import { RawCaller } from "../http/harness.ts";
import { LARGER_THAN_BUFFERS, openHarness, problemOf, type GivenJob } from "./harness.ts";
import { until } from "../../house/until.ts";

const SERVICES = { services: { a: {} } } as const;

/** A call by POST with a body of one character. */
function post(target: string): string {
  return `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx`;
}

test("the answer to a job is answered with the next one", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const asked = [harness.ask("a", "1"), harness.ask("a", "2"), harness.ask("a", "3")];
  await harness.inFlight(3);
  const first = await harness.poll("a");
  const answered = await harness.post(`/jobs/${first.id}?next=1&lease=5s`, "done 1");
  assert.equal(answered.status, 200);
  assert.equal(answered.headers.get("cache-control"), "no-store");
  const second = (await answered.json()) as GivenJob;
  assert.equal(answered.headers.get("lintel-job"), second.id);
  assert.ok(second.lease <= 5_000);
  const failed = await harness.post(`/jobs/${second.id}/error?reason=SO_IT_IS&next=1&max=10`, "no");
  const [third, ...others] = (await failed.json()) as GivenJob[];
  assert.equal(others.length, 0);
  const last = await harness.post(`/jobs/${third?.id}/response?status=201&next=1&wait=0`, "done 3");
  assert.equal(last.status, 204);
  const requests = [first, second, third].map((job) => String(job?.originalRequest));
  assert.deepEqual(requests.toSorted(), ["1", "2", "3"]);
  const outcomes = await Promise.all(asked.map(async (one) => String((await one).status)));
  assert.deepEqual(outcomes.toSorted(), ["200", "201", "500"]);
});

test("the next job is waited for, and the caller of this one is not kept waiting", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const asked = harness.ask("a", "1");
  const { id } = await harness.poll("a");
  const raw = { accept: "application/octet-stream" };
  const answering = harness.post(`/jobs/${id}?next=1&wait=20s`, "one", raw);
  assert.equal(await (await asked).text(), "one");
  await harness.waiting(1);
  const other = harness.ask("a", "2");
  const next = await answering;
  assert.equal(await next.text(), "2", "in the form that the worker has asked for");
  assert.equal(
    (await harness.post(`/jobs/${next.headers.get("lintel-job")}?next=1&wait=20ms`, "two")).status,
    204,
  );
  assert.equal(await (await other).text(), "two");
});

test("what is wrong is said, without a next job", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const asked = [harness.ask("a", "1"), harness.ask("a", "2")];
  await harness.inFlight(2);
  const { id } = await harness.poll("a");
  for (const query of [
    "next=2",
    "next",
    "wait=1s",
    "max=2",
    "next=1&wait=soon",
    "next=1&lease=0",
    "next=1&x=1",
  ]) {
    assert.deepEqual(
      await problemOf(await harness.post(`/jobs/${id}?${query}`, "x")),
      [400, "BAD_REQUEST"],
      query,
    );
    assert.equal((await harness.post(`/jobs/${id}/error?${query}`, "x")).status, 400, query);
  }
  assert.equal(
    (await harness.post(`/jobs/${id}?next=1&max=2`, "x", { accept: "application/octet-stream" })).status,
    400,
  );
  assert.equal((await harness.post(`/jobs/${id}`, "x")).status, 200, "it was the worker's all the time");
  assert.deepEqual(await problemOf(await harness.post(`/jobs/${id}?next=1`, "x")), [409, "JOB_ENDED"]);
  assert.deepEqual(await problemOf(await harness.post("/jobs/none?next=1", "x")), [404, "NO_SUCH_JOB"]);
  await harness.post(`/jobs/${(await harness.poll("a")).id}`, "x");
  for (const one of asked) assert.equal((await one).status, 200);
});

test("a connection that ends while its worker waits eats no job, and the answer counts", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  for (const how of ["destroy", "resetAndDestroy"] as const) {
    const asked = harness.ask("a", "1");
    const { id } = await harness.poll("a");
    const gone = new RawCaller(harness.port).send(post(`/jobs/${id}?next=1`));
    await harness.waiting(1);
    assert.equal(await (await asked).text(), "x");
    gone.socket[how]();
    await harness.waiting(0);
    const other = harness.ask("a", "2");
    const job = await harness.poll("a");
    assert.equal(job.attempts, 1);
    await harness.post(`/jobs/${job.id}`, "y");
    assert.equal(await (await other).text(), "y");
    gone.close();
  }
});

test("a next job that nobody has read comes back, and the answer counts", async (context) => {
  const bound = 2 * LARGER_THAN_BUFFERS;
  const limits = { http: { bodyLimit: bound }, limits: { payload: bound } };
  const harness = await openHarness(context, { jobs: SERVICES, ...limits });
  const asked = harness.ask("a", "1");
  const { id } = await harness.poll("a");
  const large = JSON.stringify("x".repeat(LARGER_THAN_BUFFERS));
  const other = harness.ask("a", large, { "content-type": "application/json" });
  await harness.inFlight(2);
  const slow = new RawCaller(harness.port);
  slow.socket.pause();
  slow.send(post(`/jobs/${id}?next=1`));
  assert.equal(await (await asked).text(), "x");
  slow.socket.resetAndDestroy();
  const job = await harness.poll("a");
  assert.equal(job.originalRequest, "x".repeat(LARGER_THAN_BUFFERS));
  assert.equal(job.attempts, 1);
  await harness.post(`/jobs/${job.id}`, "y");
  assert.equal(await (await other).text(), "y");
  assert.deepEqual(await problemOf(await harness.post(`/jobs/${id}`, "again")), [409, "JOB_ENDED"]);
});

test("an answer that was taken is never told of a failure", async (context) => {
  const harness = await openHarness(context, { jobs: { ...SERVICES, maxPolls: 1 } });
  const asked = [harness.ask("a", "1"), harness.ask("a", "2")];
  await harness.inFlight(2);
  const [one, two] = [await harness.poll("a"), await harness.poll("a")];
  const waiting = harness.post(`/jobs/${one.id}?next=1&wait=20s`, "x");
  await harness.waiting(1);
  assert.equal(
    (await harness.post(`/jobs/${two.id}?next=1&wait=20s`, "x")).status,
    204,
    "there is no place to wait",
  );
  await harness.gateway.drain();
  assert.equal((await waiting).status, 204);
  for (const answer of asked) assert.equal(await (await answer).text(), "x");
});

test("an answer takes no room while its worker waits", async (context) => {
  const bodies = new BodyBudget(1_048_576);
  const harness = await openHarness(context, { jobs: SERVICES, bodies });
  const asked = harness.ask("a", "1");
  const { id } = await harness.poll("a");
  const answering = harness.post(`/jobs/${id}?next=1`, "x".repeat(1_000_000));
  assert.equal((await (await asked).text()).length, 1_000_000);
  await harness.waiting(1);
  await until(() => bodies.held === 0);
  const other = harness.ask("a", "2");
  const next = (await (await answering).json()) as GivenJob;
  await harness.post(`/jobs/${next.id}`, "y");
  assert.equal(await (await other).text(), "y");
});
