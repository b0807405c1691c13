import assert from "node:assert/strict";
import { test } from "node:test";
import { RawCaller, text } from "../http/harness.ts";
import { LARGER_THAN_BUFFERS, openHarness, problemOf, type GivenJob, type Harness } from "./harness.ts";
import { until } from "../../house/until.ts";

const SERVICES = { services: { a: {} } } as const;
const POLL = "GET /service/a/jobs HTTP/1.1\r\nHost: x\r\n\r\n";
/** For requests that no connection takes whole unless somebody reads. */
const LARGE = {
  http: { bodyLimit: 2 * LARGER_THAN_BUFFERS },
  limits: { payload: 2 * LARGER_THAN_BUFFERS },
};

/**
 * A request for the service `a`, which comes in the turn of the loop in which `before` is done: what that sends is there, and
 * nobody has seen it.
 */
function outcomeOf({ engine, port }: Harness, before: () => void): Promise<string> {
  return new Promise((resolve) => {
    const sink = {
      answered: () => resolve("answered"),
      failed: (_: number, why: { reason: string }) => resolve(why.reason),
    };
    const other = new RawCaller(port).send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    other.socket.once("data", () => {
      before();
      engine.request(engine.route("a"), text("x"), 5_000, sink, 0);
      other.close();
    });
  });
}

test("a poll whose connection has closed gets no job", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  for (const how of ["destroy", "resetAndDestroy"] as const) {
    const gone = new RawCaller(harness.port).send(POLL);
    await harness.waiting(1);
    gone.socket[how]();
    await harness.waiting(0);
    const asked = harness.ask("a");
    const job = await harness.poll("a");
    assert.equal(job.attempts, 1);
    await harness.post(`/jobs/${job.id}`, "x");
    assert.equal((await asked).status, 200);
    gone.close();
  }
});

test("a poll that has ended its side gets no job before it is clear that it has not left", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const doubtful = new RawCaller(harness.port).send(POLL);
  await harness.waiting(1);
  doubtful.socket.end();
  await until(() => doubtful.received !== ""); // its end was seen
  const asked = harness.ask("a");
  const job = await harness.poll("a");
  assert.equal(job.attempts, 1);
  await harness.post(`/jobs/${job.id}`, "x");
  assert.equal((await asked).status, 200);
  doubtful.close();
  await harness.waiting(0);
});

test("a job is not given to a poll whose connection ended in the turn in which the job came", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  for (let round = 0; round < 30; round++) {
    const gone = new RawCaller(harness.port).send(POLL);
    await harness.waiting(1);
    const outcome = outcomeOf(harness, () => {
      if (round % 3 === 0) gone.socket.resetAndDestroy();
      else gone.socket.destroy();
    });
    const job = await harness.poll("a");
    assert.equal(job.attempts, 1, "nobody has seen it before");
    await harness.post(`/jobs/${job.id}`, "x");
    assert.equal(await outcome, "answered");
  }
});

test("a worker that has read its job may close the connection, and answer on another", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const asked = harness.ask("a", "hello");
  const caller = new RawCaller(harness.port).send(POLL);
  const response = await caller.response();
  caller.socket.end();
  await caller.end();
  const { id } = JSON.parse(response!.body) as GivenJob;
  assert.equal((await harness.call("/service/a/jobs?wait=50ms")).status, 204, "it has not come back");
  assert.equal((await harness.post(`/jobs/${id}`, "bye")).status, 200);
  assert.equal(await (await asked).text(), "bye");
});

test("a job in a response that was not read to its end comes back", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES, ...LARGE });
  const body = JSON.stringify("x".repeat(LARGER_THAN_BUFFERS));
  const asked = harness.ask("a", body, { "content-type": "application/json" });
  await harness.inFlight(1);
  const slow = new RawCaller(harness.port);
  slow.socket.pause();
  slow.send(POLL);
  await until(() => harness.gateway.needsPort); // the job is out
  slow.socket.resetAndDestroy();
  const job = await harness.poll("a");
  assert.equal(job.attempts, 1, "nobody has seen all of it before");
  assert.equal(job.originalRequest, "x".repeat(LARGER_THAN_BUFFERS));
  await harness.post(`/jobs/${job.id}`, "whole");
  assert.equal(await (await asked).text(), "whole");
});

test("one connection serves polls and answers in turn", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const worker = new RawCaller(harness.port);
  for (let round = 0; round < 3; round++) {
    const asked = harness.ask("a", String(round));
    worker.send(POLL);
    const { id } = JSON.parse((await worker.response())!.body) as GivenJob;
    worker.send(`POST /jobs/${id} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n${round}`);
    assert.equal((await worker.response())?.status, 200);
    assert.equal(await (await asked).text(), String(round));
  }
  worker.close();
});

test("polls that are pipelined are answered in order, each with a job of its own", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const worker = new RawCaller(harness.port).send(POLL + POLL);
  await harness.waiting(2);
  const asked = [harness.ask("a", "1"), harness.ask("a", "2")];
  const ids: string[] = [];
  for (let round = 0; round < 2; round++)
    ids.push((JSON.parse((await worker.response())!.body) as GivenJob).id);
  assert.notEqual(ids[0], ids[1]);
  for (const id of ids) await harness.post(`/jobs/${id}`, "x");
  for (const one of asked) assert.equal((await one).status, 200);
  worker.close();
});

test("a poll in front of what is no request is answered, and gets no job", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const broken = new RawCaller(harness.port).send(`${POLL}no request\r\n\r\n`);
  await harness.waiting(1);
  const asked = harness.ask("a");
  assert.equal((await broken.response())?.status, 204);
  assert.equal((await broken.response())?.status, 400);
  const job = await harness.poll("a");
  assert.equal(job.attempts, 1);
  await harness.post(`/jobs/${job.id}`, "x");
  assert.equal((await asked).status, 200);
  await broken.end();
});

test("when all callers have left before the jobs go out, the poll waits on", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const polling = harness.call("/service/a/jobs?max=5&wait=10s");
  await harness.waiting(1);
  const sink = { answered: () => undefined, failed: () => undefined };
  const route = harness.engine.route("a");
  for (let tag = 1; tag <= 2; tag++)
    harness.engine.cancel(harness.engine.request(route, text("x"), 5_000, sink, tag));
  await until(() => harness.engine.inFlight === 0);
  const asked = harness.ask("a", "hello");
  const jobs = (await (await polling).json()) as GivenJob[];
  assert.deepEqual(
    jobs.map(({ originalRequest }) => originalRequest),
    ["hello"],
  );
  await harness.post(`/jobs/${jobs[0]?.id}`, "x");
  assert.equal((await asked).status, 200);
});

test("past the queue of the service: 503, and when to try again", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES, limits: { queue: 2 } });
  const waiting = [harness.ask("a"), harness.ask("a")];
  await harness.inFlight(2);
  const refused = await harness.ask("a");
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.deepEqual(await problemOf(refused), [503, "QUEUE_FULL"]);
  const jobs = (await (await harness.call("/service/a/jobs?max=2")).json()) as GivenJob[];
  for (const { id } of jobs) await harness.post(`/jobs/${id}`, "x");
  await Promise.all(waiting);
});

test("polls and services have bounds", async (context) => {
  const harness = await openHarness(context, { jobs: { maxPolls: 1, maxServices: 2 } });
  const one = harness.call("/service/a/jobs?wait=10s");
  await harness.waiting(1);
  const second = await harness.call("/service/a/jobs");
  assert.equal(second.headers.get("retry-after"), "1");
  assert.deepEqual(await problemOf(second), [503, "IN_FLIGHT_FULL"]);
  assert.equal(
    (await harness.call("/service/b/jobs?wait=0")).status,
    503,
    "it opens, and there is no place to wait",
  );
  assert.deepEqual(await problemOf(await harness.call("/service/c/jobs?wait=0")), [503, "IN_FLIGHT_FULL"]);
  const asked = harness.ask("a");
  await harness.post(`/jobs/${((await (await one).json()) as GivenJob).id}`, "x");
  assert.equal((await asked).status, 200);
});

test("names that are none are refused, and reach nobody", async (context) => {
  const harness = await openHarness(context);
  for (const name of ["_inbox", "a..b", "a%20b", "*", "%3e", "a.>", "%24SYS", ".", "%2e%2e"]) {
    assert.deepEqual(
      await problemOf(await harness.call(`/service/${name}x/jobs?wait=0`.replace("_inboxx", "_inbox"))),
      [400, "BAD_SUBJECT"],
      name,
    );
  }
  for (const name of ["_inbox", "a..b", "a%20b", "*", "%24SYS"])
    assert.deepEqual(await problemOf(await harness.ask(name)), [400, "BAD_SUBJECT"], name);
  assert.deepEqual(await problemOf(await harness.call("/service/a")), [405, "METHOD_NOT_ALLOWED"]);
  assert.equal((await harness.call("/service/a/jobs", { method: "POST" })).status, 405);
});

test("pages of other hosts take no jobs", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const asked = harness.ask("a");
  await harness.inFlight(1);
  const foreign = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ];
  for (const headers of foreign) {
    const raw = new RawCaller(harness.port);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    raw.send(`GET /service/a/jobs HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`);
    const response = await raw.response();
    assert.equal(response?.status, 403);
    assert.match(response.body, /FOREIGN_ORIGIN/);
    raw.close();
  }
  const own = new RawCaller(harness.port);
  own.send(
    "GET /service/a/jobs HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nSec-Fetch-Site: same-origin\r\n\r\n",
  );
  const { id } = JSON.parse((await own.response())!.body) as GivenJob;
  own.close();
  await harness.post(`/jobs/${id}`, "x");
  assert.equal((await asked).status, 200);
});

test("a log has subjects, and no ids", async (context) => {
  const harness = await openHarness(context, { jobs: SERVICES });
  const asked = harness.ask("a");
  const { id } = await harness.poll("a");
  await harness.post(`/jobs/${id}/lease?lease=1s`);
  await harness.post(`/jobs/${id}`, "x");
  await asked;
  await harness.post(`/jobs/${id}`, "x");
  await until(() => harness.records.length === 5);
  const lines = harness.records.map(({ method, path, subject, status, reason }) =>
    [method, path, subject ?? "-", status, reason ?? "-"].join(" "),
  );
  assert.deepEqual(lines.toSorted(), [
    "GET /service/a/jobs a 200 -",
    "POST /jobs/* - 409 JOB_ENDED",
    "POST /jobs/* a 200 -",
    "POST /jobs/*/lease a 200 -",
    "POST /service/a a 200 -",
  ]);
  assert.ok(!JSON.stringify(harness.records).includes(id));
});

test("a configured route goes before the paths of the gateway", async (context) => {
  const routes = [{ path: "/jobs/{id}", subject: "mine" }];
  const harness = await openHarness(context, { jobs: { services: { mine: {} } }, http: { routes } });
  const asked = harness.call("/jobs/5");
  await harness.inFlight(1);
  const job = await harness.poll("mine");
  assert.equal(job.path, "/jobs/5");
  assert.equal(
    (await harness.post(`/jobs/${job.id}/response`, "routed")).status,
    200,
    "which no route takes",
  );
  assert.equal(await (await asked).text(), "routed");
});

test("while the hub drains, what is queued is fetched and answered, and nobody waits", async (context) => {
  const harness = await openHarness(context);
  // Connections that are kept are closed as the gateway drains, and some of these calls would just have chosen one.
  const headers = { connection: "close" };
  const poll = async (service: string, query = ""): Promise<Response> =>
    harness.call(`/service/${service}/jobs${query}`, { headers });
  const idle = poll("a", "?wait=20s");
  await harness.waiting(1);
  const asked = harness.ask("a", "1", headers);
  const first = (await (await idle).json()) as GivenJob;
  const other = harness.ask("a", "2", headers);
  const waiting = poll("b", "?wait=20s");
  await harness.inFlight(2);
  await harness.waiting(1);
  await harness.gateway.drain();
  assert.deepEqual(await problemOf(await waiting), [503, "DRAINING"]);
  const drained = harness.listening.drain();
  assert.deepEqual(await problemOf(await harness.ask("a", "3", headers)), [503, "DRAINING"]);
  assert.deepEqual(await problemOf(await poll("b")), [503, "DRAINING"]);
  const second = (await (await poll("a")).json()) as GivenJob;
  for (const { id, originalRequest } of [first, second]) {
    const answered = await harness.post(`/jobs/${id}`, `answer ${String(originalRequest)}`, headers);
    assert.equal(answered.status, 200);
  }
  assert.equal(await (await asked).text(), "answer 1");
  assert.equal(await (await other).text(), "answer 2");
  await drained;
});
