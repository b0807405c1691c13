import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine } from "../../../src/engine/engine.ts";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { formatHeaders } from "../../../src/message/headers.ts";
import { Format, Message } from "../../../src/message/message.ts";
import { createStream } from "../../../src/stream/stream-pair.ts";
import { json, serveOn, text } from "../http/harness.ts";
import { openHarness, problemOf, harnessOn, type GivenJob } from "./harness.ts";
import { until } from "../../house/until.ts";

test("a poll waits for a job, and the answer to the job is the answer to the request", async (context) => {
  const harness = await openHarness(context);
  const polling = harness.poll("image.resize");
  await harness.waiting(1);
  const asked = harness.ask("image.resize", '{"width":100}', { "x-trace": "7" });
  const job = await polling;
  assert.match(job.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(job.originalRequest, { width: 100 });
  assert.equal(job.encoding, "json");
  assert.equal(job.service, "image.resize");
  assert.equal(job.attempts, 1);
  assert.equal(job.method, "POST");
  assert.equal(job.path, "/service/image.resize");
  assert.equal(job.headers["x-trace"], "7");
  assert.ok(job.deadline > 20_000 && job.deadline <= 30_000, `${job.deadline} ms are left`);
  assert.equal(job.lease, job.deadline, "without a lease it is the worker's until the deadline");
  const answered = await harness.post(`/jobs/${job.id}`, '{"ok":true}');
  assert.equal(answered.status, 200);
  assert.equal(await answered.text(), "");
  const answer = await asked;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.deepEqual(await answer.json(), { ok: true });
});

test("the id and the terms of a job are in headers, too", async (context) => {
  const harness = await openHarness(context);
  const polling = harness.call("/service/a/jobs?lease=5s");
  await harness.waiting(1);
  const asked = harness.ask("a");
  const response = await polling;
  const job = (await response.json()) as GivenJob;
  assert.equal(response.headers.get("lintel-job"), job.id);
  assert.equal(response.headers.get("lintel-service"), "a");
  assert.equal(response.headers.get("lintel-attempts"), "1");
  assert.equal(response.headers.get("lintel-deadline"), String(job.deadline));
  assert.equal(response.headers.get("lintel-lease"), String(job.lease));
  assert.ok(job.lease <= 5_000);
  assert.equal(response.headers.get("cache-control"), "no-store");
  await harness.post(`/jobs/${job.id}/response`, "done");
  assert.equal(await (await asked).text(), "done");
});

test("polling a service that nobody has used waits, and ends with 204", async (context) => {
  const harness = await openHarness(context);
  const began = performance.now();
  const response = await harness.call("/service/never.used/jobs?wait=80ms");
  assert.equal(response.status, 204);
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.ok(performance.now() - began >= 75);
  assert.equal((await harness.call("/service/never.used/jobs?wait=0")).status, 204);
});

test("a request waits while nobody polls, for a service that was polled lately", async (context) => {
  const harness = await openHarness(context);
  await harness.call("/service/a/jobs?wait=0");
  const asked = [harness.ask("a", "1"), harness.ask("a", "2")];
  await harness.inFlight(2);
  for (let round = 0; round < 2; round++) {
    const job = await harness.poll("a");
    await harness.post(`/jobs/${job.id}`, `answer to ${String(job.originalRequest)}`);
  }
  const answers = await Promise.all(asked.map(async (one) => (await one).text()));
  assert.deepEqual(answers.toSorted(), ["answer to 1", "answer to 2"]);
});

test("a request for a service that nobody has polled fails at once", async (context) => {
  const harness = await openHarness(context);
  const answer = await harness.ask("a");
  assert.equal(answer.headers.get("retry-after"), "1");
  assert.deepEqual(await problemOf(answer), [503, "NO_RESPONDERS"]);
});

test("a service nobody polls any longer is given up, with what waits for it", async (context) => {
  const harness = await openHarness(context, { jobs: { lingerMs: 60 } });
  await harness.call("/service/a/jobs?wait=0");
  const asked = harness.ask("a");
  assert.deepEqual(await problemOf(await asked), [503, "NO_RESPONDERS"]);
  assert.equal(harness.gateway.needsPort, false);
});

test("a configured service queues though nobody has ever polled it", async (context) => {
  const harness = await openHarness(context, { jobs: { lingerMs: 20, services: { a: {} } } });
  const asked = harness.ask("a", "hello");
  await harness.inFlight(1);
  await until(() => harness.engine.clock.now() > 0);
  const job = await harness.poll("a");
  assert.equal(job.originalRequest, "hello");
  await harness.post(`/jobs/${job.id}`, "bye");
  assert.equal(await (await asked).text(), "bye");
});

test("a service that the engine has refused is begun anew by the next poll", async (context) => {
  const local = new LocalEngine();
  const full = new LintelError("resource_exhausted", "there are too many", { reason: "TOO_MANY" });
  let refusals = 2;
  const engine = new Proxy<Engine>(local, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name !== "serve" || refusals-- <= 0) return value.bind(target) as unknown;
      return (...args: Parameters<Engine["serve"]>) => {
        const registration = target.serve(...args);
        void registration.leave();
        return { ...registration, ready: Promise.reject(full) };
      };
    },
  });
  const harness = await harnessOn(context, engine, local, { jobs: { services: { known: {} } } });
  assert.deepEqual(await problemOf(await harness.call("/service/polled/jobs")), [429, "TOO_MANY"]);
  for (const service of ["known", "polled"]) {
    const polling = harness.poll(service);
    await harness.waiting(1);
    const asked = harness.ask(service, "hello");
    const { id } = await polling;
    await harness.post(`/jobs/${id}`, "bye");
    assert.equal(await (await asked).text(), "bye");
  }
});

test("max gives an array with as many jobs as are there", async (context) => {
  const harness = await openHarness(context, { jobs: { services: { a: {} } } });
  const asked = [0, 1, 2, 3, 4].map((number) => harness.ask("a", JSON.stringify([number])));
  await harness.inFlight(5);
  const first = (await (await harness.call("/service/a/jobs?max=3")).json()) as GivenJob[];
  const second = (await (await harness.call("/service/a/jobs?max=3")).json()) as GivenJob[];
  assert.equal(first.length, 3);
  assert.equal(second.length, 2);
  assert.equal((await harness.call("/service/a/jobs?max=3&wait=0")).status, 204);
  const entries = [...first, ...second].map(({ id, originalRequest }) => ({ id, response: originalRequest }));
  const response = await harness.post("/jobs", JSON.stringify(entries));
  assert.equal(response.status, 200);
  assert.deepEqual(
    await response.json(),
    entries.map(({ id }) => ({ id, status: 200 })),
  );
  const answers = await Promise.all(asked.map(async (one) => (await one).json()));
  assert.deepEqual(answers, [[0], [1], [2], [3], [4]]);
});

test("a poll with max gets what comes in one turn of the loop together", async (context) => {
  const harness = await openHarness(context);
  const polling = harness.call("/service/a/jobs?max=10");
  await harness.waiting(1);
  const outcomes: string[] = [];
  const sink = {
    answered: (tag: number) => void outcomes.push(String(tag)),
    failed: (_tag: number, why: { reason: string }) => void outcomes.push(why.reason),
  };
  const route = harness.engine.route("a");
  for (let tag = 0; tag < 4; tag++) harness.engine.request(route, text("x"), 5_000, sink, tag);
  const jobs = (await (await polling).json()) as GivenJob[];
  assert.equal(jobs.length, 4);
  await harness.post("/jobs", JSON.stringify(jobs.map(({ id }) => ({ id }))));
  assert.deepEqual(outcomes, ["0", "1", "2", "3"]);
});

test("workers that poll and workers that are sent theirs share the requests of a service", async (context) => {
  const harness = await openHarness(context);
  const pushed = serveOn(harness.engine, "a", () => text("pushed"));
  let pulled = 0;
  const stop = new AbortController();
  const worker = (async () => {
    while (!stop.signal.aborted) {
      const response = await harness.call("/service/a/jobs?wait=50ms");
      if (response.status === 204) continue;
      const { id } = (await response.json()) as GivenJob;
      pulled++;
      await harness.post(`/jobs/${id}`, "pulled");
    }
  })();
  await harness.waiting(1);
  for (let round = 0; round < 40; round++) {
    const answers = await Promise.all([harness.ask("a"), harness.ask("a"), harness.ask("a")]);
    for (const answer of answers) assert.equal(answer.status, 200);
    if (pulled > 5 && pushed.jobs.length > 5) break;
  }
  stop.abort();
  await worker;
  assert.ok(pulled > 5, `${pulled} were pulled`);
  assert.ok(pushed.jobs.length > 5, `${pushed.jobs.length} were pushed`);
});

/** Arrays in arrays. */
function nested(depth: number): string {
  return `${"[".repeat(depth)}1${"]".repeat(depth)}`;
}

test("what the job looks like follows from what the request is", async (context) => {
  const harness = await openHarness(context, { jobs: { services: { a: {} } } });
  const cases: [body: Message, encoding: string, value: unknown][] = [
    [json({ a: [1, null] }), "json", { a: [1, null] }],
    [json("text"), "json", "text"],
    [text("{not json"), "text", "{not json"],
    [Message.ofBytes(Buffer.from("{not json")), "base64", "e25vdCBqc29u"],
    [Message.ofBytes(Buffer.from("{broken"), "", Format.typed), "text", "{broken"],
    [Message.ofBytes(Buffer.from(nested(100)), "", Format.typed), "json", JSON.parse(nested(100))],
    [Message.ofBytes(Buffer.from(nested(101)), "", Format.typed), "text", nested(101)],
    [Message.ofBytes(Buffer.from([0xff, 0x00]), "", Format.text), "base64", "/wA="],
    [Message.ofBytes(new Uint8Array(0), "", Format.typed), "none", null],
    [
      Message.ofBytes(
        Buffer.from("a=1&b=2"),
        "content-type:application/x-www-form-urlencoded\n",
        Format.typed,
      ),
      "text",
      "a=1&b=2",
    ],
    [
      Message.ofBytes(Buffer.from("[1]"), "content-type:application/x-www-form-urlencoded\n", Format.typed),
      "json",
      [1],
    ],
    [Message.ofBytes(Buffer.from("é"), "content-type:text/plain\n", Format.typed), "text", "é"],
    [Message.ofBytes(Buffer.from("é"), "content-type:image/png\n", Format.typed), "base64", "w6k="],
    [
      Message.ofValue({ lazy: true }, { encode: (value) => JSON.stringify(value) }, Format.typed),
      "json",
      { lazy: true },
    ],
  ];
  const sink = { answered: () => undefined, failed: () => undefined };
  for (const [request, encoding, value] of cases) {
    harness.engine.request(harness.engine.route("a"), request, 5_000, sink, 0);
    const job = await harness.poll("a");
    assert.deepEqual([job.encoding, job.originalRequest], [encoding, value]);
    await harness.post(`/jobs/${job.id}`);
  }
});

test("JSON is passed on as it came, digit for digit", async (context) => {
  const harness = await openHarness(context, { jobs: { services: { a: {} } } });
  const body = '{ "big": 12345678901234567890.10, "a":1, "a":2 }';
  const asked = harness.ask("a", body, { "content-type": "application/json" });
  await harness.inFlight(1);
  const response = await (await harness.call("/service/a/jobs")).text();
  assert.ok(response.includes(`"originalRequest":${body},`), response);
  await harness.post(`/jobs/${(JSON.parse(response) as GivenJob).id}`);
  assert.equal((await asked).status, 204);
});

test("a raw job is the request as it is, and all else in headers", async (context) => {
  const harness = await openHarness(context, { jobs: { services: { a: {} } } });
  const picture = Buffer.from([0x89, 0x50, 0x00, 0xff, 0x0a]);
  const headers = { "content-type": "image/png", "x-name": "a.png" };
  const asked = harness.ask("a", picture, headers);
  await harness.inFlight(1);
  const job = await harness.call("/service/a/jobs", { headers: { accept: "application/octet-stream" } });
  assert.deepEqual(Buffer.from(await job.arrayBuffer()), picture);
  assert.equal(job.headers.get("content-type"), "image/png");
  assert.equal(job.headers.get("lintel-header-x-name"), "a.png");
  assert.equal(job.headers.get("lintel-method"), "POST");
  assert.equal(job.headers.get("lintel-path"), "/service/a");
  const answer = Buffer.from([0, 1, 2, 0xfe]);
  await harness.post(`/jobs/${job.headers.get("lintel-job")}`, answer, { "content-type": "image/gif" });
  const answered = await asked;
  assert.equal(answered.headers.get("content-type"), "image/gif");
  assert.deepEqual(Buffer.from(await answered.arrayBuffer()), answer);
});

test("a header that HTTP cannot carry stays out of a raw job", async (context) => {
  const harness = await openHarness(context, { jobs: { services: { a: {} } } });
  const head = formatHeaders({ "x-plain": "yes", "x-name": "\u4f60" });
  const sink = { answered: () => undefined, failed: () => undefined };
  for (let round = 0; round < 2; round++)
    harness.engine.request(harness.engine.route("a"), json(1, head), 5_000, sink, 0);
  const raw = await harness.call("/service/a/jobs", { headers: { accept: "application/octet-stream" } });
  assert.equal(raw.headers.get("lintel-header-x-plain"), "yes");
  assert.equal(raw.headers.has("lintel-header-x-name"), false);
  assert.equal((await harness.poll("a")).headers["x-name"], "\u4f60");
});

test("headers that are none do no harm", async (context) => {
  const harness = await openHarness(context, { jobs: { services: { a: {} } } });
  // A hub forwards header blocks unread: there is no telling what is in one.
  const head =
    ":path:/one\n:path:/two\nx y:1\n\r:2\nno colon\n__proto__:3\nx:4\u0000\nx-good:5\nx-good:6\n:\u0000:7\n";
  const sink = { answered: () => undefined, failed: () => undefined };
  for (let round = 0; round < 2; round++)
    harness.engine.request(harness.engine.route("a"), text("hello", head), 5_000, sink, 0);
  const raw = await harness.call("/service/a/jobs", { headers: { accept: "application/octet-stream" } });
  assert.equal(await raw.text(), "hello");
  assert.equal(raw.headers.get("lintel-header-x-good"), "5, 6");
  const job = await harness.poll("a");
  assert.equal(job.path, "/one");
  assert.equal(job.headers["x-good"], "5, 6");
  assert.equal(Object.getOwnPropertyDescriptor(job.headers, "__proto__")?.value, "3");
});

test("what AstroHub's workers get and send", async (context) => {
  const harness = await openHarness(context, { jobs: { compat: "astrohub" } });
  const asked = harness.ask("adder", '{"a":1}'); // before anybody has polled
  await harness.inFlight(1);
  const job = await (await harness.call("/service/adder/jobs")).text();
  const [, id] = /^\{"id":"([0-9a-f-]{36})","originalRequest":"eyJhIjoxfQ=="\}$/.exec(job) ?? [];
  assert.ok(id !== undefined, job);
  const answered = await harness.post(`/jobs/${id}/response`);
  assert.deepEqual([answered.status, await answered.text()], [200, ""]);
  const answer = await asked;
  assert.deepEqual([answer.status, await answer.text()], [200, ""]);
  const modern = harness.ask("adder", '{"a":1}');
  await harness.inFlight(1);
  const asJson = await harness.call("/service/adder/jobs", { headers: { accept: "application/json" } });
  const given = (await asJson.json()) as GivenJob;
  assert.deepEqual(given.originalRequest, { a: 1 });
  await harness.post(`/jobs/${given.id}`, "2");
  assert.equal(await (await modern).text(), "2");
});

test("a worker asks for AstroHub's form by its type", async (context) => {
  const harness = await openHarness(context, { jobs: { services: { a: {} } } });
  const asked = [harness.ask("a", "hello"), harness.ask("a", "hello")];
  await harness.inFlight(2);
  const headers = { accept: "application/vnd.astrohub+json" };
  const one = await harness.call("/service/a/jobs", { headers });
  assert.equal(one.headers.get("content-type"), "application/vnd.astrohub+json");
  const job = (await one.json()) as GivenJob;
  assert.deepEqual(Object.keys(job), ["id", "originalRequest"]);
  assert.equal(job.originalRequest, "aGVsbG8=");
  const [more] = (await (await harness.call("/service/a/jobs?max=9", { headers })).json()) as GivenJob[];
  assert.equal(more?.originalRequest, "aGVsbG8=");
  for (const { id } of [job, more]) await harness.post(`/jobs/${id}`, "x");
  await Promise.all(asked);
});

test("a request that carries streams is not for workers that poll", async (context) => {
  const harness = await openHarness(context, { jobs: { services: { a: {} } } });
  const reset: string[] = [];
  const request = text("x");
  const [source, far] = createStream({ receives: false, sends: true, messages: false });
  const ignore = (): undefined => undefined;
  source.listen({
    data: ignore,
    ended: ignore,
    granted: ignore,
    ready: () => true,
    writable: ignore,
    reset: ({ reason }) => reset.push(reason),
  });
  request.streams = [far];
  const polling = harness.call("/service/a/jobs?wait=200ms");
  await harness.waiting(1);
  const why = await new Promise<string>((resolve) => {
    const sink = {
      answered: () => resolve("answered"),
      failed: (_: number, failed: { reason: string }) => resolve(failed.reason),
    };
    harness.engine.request(harness.engine.route("a"), request, 5_000, sink, 0);
  });
  assert.equal(why, "STREAMS_UNSUPPORTED");
  assert.deepEqual(reset, ["STREAMS_UNSUPPORTED"]);
  assert.equal((await polling).status, 204);
});
