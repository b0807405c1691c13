/** Workers over plain HTTP at a whole hub, beside workers in programs, and in front of a hub that is elsewhere. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import { RemoteEngine } from "../../src/engine/remote/remote-engine.ts";
import { NativeGateway } from "../../src/gateway/native/gateway.ts";
import { connect, createHub } from "../../src/index.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { createMemoryTransport } from "../../src/transport/memory.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { RawCaller } from "../gateway/http/harness.ts";
import { harnessOn, type GivenJob } from "../gateway/jobs/harness.ts";
import { until } from "../house/until.ts";
import { pathOf } from "../house/provide.ts";
import { root } from "../house/root.ts";

async function poll(url: string, service: string, query = ""): Promise<GivenJob> {
  const response = await fetch(`${url}/service/${service}/jobs${query}`);
  assert.equal(response.status, 200);
  return (await response.json()) as GivenJob;
}

function answer(url: string, { id }: GivenJob, body: string): Promise<Response> {
  return fetch(`${url}/jobs/${id}`, { method: "POST", body });
}

test("a program asks, and a worker over HTTP answers", async () => {
  await using hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
  const url = hub.httpUrl!;
  const polling = poll(url, "greet");
  await using peer = await connect(hub.urls[0]!);
  const asked = until(() => hub.stats().inFlight === 0).then(async () => {
    for (;;) {
      const greeting = await peer.request("greet", { name: "Ada" }).catch(() => undefined);
      if (greeting !== undefined) return greeting; // the poll has come
    }
  });
  const job = await polling;
  assert.deepEqual(job.originalRequest, { name: "Ada" });
  await answer(url, job, '{"hello":"Ada"}');
  assert.equal(await asked, '{"hello":"Ada"}', "fetch says that it is text");
});

test("the bash worker of the examples serves beside a program", async () => {
  pathOf("curl");
  pathOf("jq");
  await using hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
  const url = hub.httpUrl!;
  const worker = spawn("bash", [join(root, "examples/upper-worker.sh"), url], { stdio: "ignore" });
  try {
    await using peer = await connect(hub.urls[0]!);
    await peer.serve("upper", (text) => `program: ${String(text)}`, { concurrency: 1 });
    const answers = new Set<string>();
    for (let round = 0; answers.size < 2 && round < 500; round++) {
      const body = "hello";
      const asked = Array.from({ length: 3 }, async () =>
        fetch(`${url}/service/upper`, { method: "POST", body }),
      );
      for (const one of asked) {
        const response = await one;
        assert.equal(response.status, 200);
        answers.add(await response.text());
      }
    }
    assert.deepEqual([...answers].toSorted(), ["HELLO\n", "program: hello"]);
  } finally {
    worker.kill("SIGKILL");
    if (worker.exitCode === null && worker.signalCode === null) await once(worker, "exit");
  }
});

test("a request of a lost program goes to a worker over HTTP, where the service says so", async () => {
  const jobs = { services: { careful: { delivery: "at-least-once" }, once: {} } } as const;
  await using hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"], jobs });
  const url = hub.httpUrl!;
  const doomed = await connect(hub.urls[0]!);
  let taken = 0;
  const never = (): Promise<never> => new Promise(() => void taken++);
  for (const subject of ["careful", "once"]) await doomed.serve(subject, never);
  const careful = fetch(`${url}/service/careful`, { method: "POST", body: "x" });
  const hasty = fetch(`${url}/service/once`, { method: "POST", body: "x" });
  await until(() => taken === 2);
  await doomed.close();
  assert.equal((await hasty).status, 502);
  const job = await poll(url, "careful");
  assert.equal(job.attempts, 2);
  await answer(url, job, "saved");
  assert.equal(await (await careful).text(), "saved");
});

test("jobs: false leaves the paths to subjects", async () => {
  await using hub = await createHub({ http: { port: 0 }, listen: [], jobs: false });
  await hub.serve("service.a.jobs", () => "a subject like any other");
  await hub.serve("service.a", () => "so is this");
  const url = hub.httpUrl!;
  assert.equal(await (await fetch(`${url}/service/a/jobs`)).text(), "a subject like any other");
  assert.equal(await (await fetch(`${url}/service/a`)).text(), "so is this");
  assert.equal((await fetch(`${url}/jobs/5`, { method: "POST" })).status, 503);
});

test("options that are wrong fail the start", async () => {
  const options = { http: false, listen: [] } as const;
  await assert.rejects(createHub({ ...options, jobs: { waitMs: 0 } }), /jobs option waitMs is 0/);
  await assert.rejects(createHub({ ...options, jobs: { services: { "a.>": {} } } }), /is not a subject/);
});

test("an app has the calls below its path, if it asks for them", async () => {
  await using hub = await createHub({ http: false, listen: [] });
  const server = createServer((_request, response) => response.end("app"));
  await hub.attach(server, { path: "/hub", jobs: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    assert.equal(await (await fetch(`${url}/service/a/jobs`)).text(), "app");
    assert.equal((await fetch(`${url}/hub/service/a/jobs?wait=0`)).status, 204);
    const asked = fetch(`${url}/hub/service/a`, { method: "POST", body: "hello" });
    const job = await poll(`${url}/hub`, "a");
    await answer(`${url}/hub`, job, "bye");
    assert.equal(await (await asked).text(), "bye");
  } finally {
    server.close();
    server.closeAllConnections();
  }
  await using other = await createHub({ http: false, listen: [], jobs: false });
  await assert.rejects(other.handler({ jobs: true }), /the hub has `jobs: false`/);
});

test("a handler of fetch takes polls, and notices one that is aborted", async () => {
  await using hub = await createHub({ http: false, listen: [] });
  const handler = await hub.handler({ jobs: true });
  const at = (path: string, init?: RequestInit): Promise<Response> =>
    handler.fetch(new Request(`http://hub.example${path}`, init));
  const gone = new AbortController();
  const aborted = at("/service/a/jobs", { signal: gone.signal });
  gone.abort();
  assert.equal((await aborted).status, 499);
  const asked = at("/service/a", { method: "POST", body: "hello" });
  const job = (await (await at("/service/a/jobs")).json()) as GivenJob;
  assert.equal(job.originalRequest, "hello");
  await at(`/jobs/${job.id}`, { method: "POST", body: "bye" });
  assert.equal(await (await asked).text(), "bye");
});

test("a hub that drains lets workers over HTTP finish, and ends", async () => {
  const hub = await createHub({ http: { port: 0 }, listen: [] });
  const url = hub.httpUrl!;
  const headers = { connection: "close" };
  await fetch(`${url}/service/a/jobs?wait=0`, { headers });
  const asked = fetch(`${url}/service/a`, { method: "POST", body: "x", headers });
  const job = await poll(url, "a");
  const idle = fetch(`${url}/service/a/jobs?wait=20s`, { headers });
  await until(() => hub.stats().inFlight === 1);
  const drained = hub.drain();
  const answered = await fetch(`${url}/jobs/${job.id}`, { method: "POST", body: "done", headers });
  assert.equal(answered.status, 200);
  assert.equal(await (await asked).text(), "done");
  assert.equal((await idle).status, 503);
  await drained;
});

test("a worker that waits on a connection it would keep does not hold a hub up that drains", async () => {
  const hub = await createHub({ http: { port: 0 }, listen: [] });
  const worker = new RawCaller(Number(new URL(hub.httpUrl!).port));
  worker.send("GET /service/a/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until(() => worker.socket.bytesWritten > 0);
  await fetch(`${hub.httpUrl}/service/a/jobs?wait=0`, { headers: { connection: "close" } }); // the first one waits by now
  const drained = hub.drain();
  const response = await worker.response();
  assert.equal(response?.status, 503);
  assert.equal(response.headers.get("connection"), "close");
  await worker.end();
  worker.close();
  await drained;
});

test("the gateway works in front of a hub that is elsewhere", async (context) => {
  const local = new LocalEngine();
  const transport = createMemoryTransport();
  const transports = new TransportRegistry();
  transports.add(transport);
  const native = new NativeGateway(local, { limits: DEFAULT_LIMITS, transports });
  await native.listen("memory://hub");
  const engine = new RemoteEngine(transport, "memory://hub");
  await engine.connected();
  context.after(async () => {
    await native.close();
    await local.close();
  });
  const harness = await harnessOn(context, engine, local, { jobs: { services: { a: {} } } });
  await until(() => local.stats.requests === 0);
  const asked = [harness.ask("a", "1"), harness.ask("a", "2")];
  await harness.inFlight(2);
  const first = await harness.poll("a");
  assert.equal((await harness.call(`/jobs/${first.id}`, { method: "DELETE" })).status, 204);
  const again = await harness.poll("a", "?lease=50ms");
  assert.deepEqual([again.originalRequest, again.attempts], [first.originalRequest, 2]);
  assert.equal((await Promise.race(asked)).status, 502, "its lease ran out");
  const other = await harness.poll("a");
  await harness.post(`/jobs/${other.id}`, "bye");
  const answers = await Promise.all(asked.map(async (one) => (await one).status));
  assert.deepEqual(
    answers.toSorted((a, b) => a - b),
    [200, 502],
  );
});

test("jobs that were asked for go before routes for every path, and routes that name them before jobs", async () => {
  const routes = [
    { path: "/", subject: "web", mode: "app" },
    { path: "/jobs/mine", subject: "mine" },
    { path: "/{tenant}/{rest...}", subject: "{tenant}.rest" },
  ] as const;
  const http = { port: 0, routes };
  const noWait = "/service/greet/jobs?wait=0";
  await using asked = await createHub({ http, listen: [], jobs: true });
  assert.equal((await fetch(asked.httpUrl + noWait)).status, 204);
  assert.equal((await fetch(`${asked.httpUrl}/jobs/none`, { method: "POST" })).status, 404);
  await asked.serve("mine", () => "mine");
  assert.equal(await (await fetch(`${asked.httpUrl}/jobs/mine`)).text(), "mine");
  const asking = fetch(`${asked.httpUrl}/service/greet`, { method: "POST", body: "Ada" }); // it was polled just now
  await answer(asked.httpUrl!, await poll(asked.httpUrl!, "greet"), "hello");
  assert.equal(await (await asking).text(), "hello");

  await using unasked = await createHub({ http, listen: [] });
  await unasked.serve("service.rest", () => "routed");
  assert.equal(await (await fetch(unasked.httpUrl + noWait)).text(), "routed");
});
