/** The main job with its failures: real HTTP in front, real worker processes behind, both at the ends of a real hub. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { PATIENCE_MS } from "../house/until.ts";

const WORKER = fileURLToPath(new URL("./worker-process.js", import.meta.url));

let hub: Hub;
const workers: ChildProcess[] = [];

/** Starts a worker process and waits until it serves. */
async function startWorker(): Promise<ChildProcess> {
  const worker = fork(WORKER, [hub.urls[0]!]);
  workers.push(worker);
  await heard(worker, "serving");
  return worker;
}

/** Resolves when a worker has said as many words as asked for that begin like this, with those words. */
function heard(worker: ChildProcess, beginning: string, count = 1): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const words: string[] = [];
    const timer = setTimeout(
      () => reject(new Error(`heard "${beginning}" ${words.length} times`)),
      PATIENCE_MS,
    );
    worker.on("message", function listen(said: unknown) {
      if (typeof said !== "string" || !said.startsWith(beginning) || words.push(said) < count) return;
      clearTimeout(timer);
      worker.off("message", listen);
      resolve(words);
    });
  });
}

async function stopWorkers(): Promise<void> {
  await Promise.all(
    workers.splice(0).map(async (worker) => {
      if (worker.exitCode !== null || worker.signalCode !== null) return;
      worker.kill("SIGKILL");
      await once(worker, "exit");
    }),
  );
}

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly reason: string;
  readonly retryable: boolean;
}

async function problemOf(response: Response): Promise<Problem> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const problem = (await response.json()) as Problem;
  assert.equal(problem.status, response.status);
  return problem;
}

const JSON_TYPE = { "content-type": "application/json" };

const post = (path: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${hub.httpUrl}${path}`, { method: "POST", body, headers });

describe("HTTP to a worker in another process", () => {
  before(async () => {
    hub = await createHub({
      http: { port: 0, routes: [{ path: "/events/{kind}", subject: "events.{kind}", mode: "publish" }] },
      listen: ["tcp://127.0.0.1:0"],
    });
  });

  after(async () => {
    await stopWorkers();
    await hub.close();
  });

  it("answers, and shows the handler the HTTP request", async () => {
    await startWorker();
    const greeting = await post("/greet", '{"name":"Ada"}', JSON_TYPE);
    assert.equal(await greeting.text(), '{"hello":"Ada"}');
    const seen = await post("/mirror?a=1&a=2", "raw body", {
      "content-type": "text/x-note",
      "x-mine": "yes",
    });
    assert.equal(seen.status, 201);
    assert.equal(seen.headers.get("x-answer"), "given");
    assert.deepEqual(await seen.json(), {
      method: "POST",
      path: "/mirror",
      query: ["1", "2"],
      mine: "yes",
      body: "raw body",
    });
    await stopWorkers();
  });

  it("says at once that nobody serves the subject", async () => {
    // It would wait as long as the caller asks for, were there anything to wait for: then it says DEADLINE.
    const response = await post("/nobody", "", { prefer: "wait=600" });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after"), "1");
    const problem = await problemOf(response);
    assert.deepEqual([problem.reason, problem.retryable], ["NO_RESPONDERS", true]);
  });

  it("says 504 at the deadline and not before, and the handler's signal fires", async () => {
    const worker = await startWorker();
    const fired = heard(worker, "signal: DEADLINE");
    const begun = performance.now();
    const response = await post("/stuck", "", { prefer: "wait=1" });
    const took = performance.now() - begun;
    assert.equal(response.status, 504);
    assert.equal((await problemOf(response)).reason, "DEADLINE");
    assert(took >= 990, `it took ${took} ms`);
    await fired;
    await stopWorkers();
  });

  it("says 502 at a worker's kill -9, and the next request goes to another", async () => {
    const doomed = await startWorker();
    const started = heard(doomed, "stuck");
    const call = post("/stuck", "", { prefer: "wait=600" });
    await started;
    await startWorker();
    doomed.kill("SIGKILL");
    const response = await call;
    assert.equal(response.status, 502);
    assert.equal((await problemOf(response)).reason, "WORKER_LOST");
    assert.equal(await (await post("/greet", '{"name":"Bob"}', JSON_TYPE)).text(), '{"hello":"Bob"}');
    await stopWorkers();
  });

  it("fires the handler's signal when the caller hangs up", async () => {
    const worker = await startWorker();
    const started = heard(worker, "stuck");
    const call = httpRequest(`${hub.httpUrl}/stuck`, { method: "POST" });
    call.on("error", () => undefined); // that it is cut off is the point
    call.end();
    await started;
    const fired = heard(worker, "signal: ");
    call.destroy();
    assert.deepEqual(await fired, ["signal: CALLER_GONE"]);
    await stopWorkers();
  });

  it("hands a publication to every subscriber in order, and answers at once", async () => {
    const subscribers = [await startWorker(), await startWorker()];
    const count = 50;
    const all = subscribers.map((worker) => heard(worker, "event ", count));
    for (let n = 0; n < count; n++) {
      const response = await post("/events/made", String(n), { "content-type": "text/plain" });
      assert.equal(response.status, 202);
    }
    const expected = Array.from({ length: count }, (_, n) => `event events.made ${n}`);
    for (const seen of await Promise.all(all)) assert.deepEqual(seen, expected);
    await stopWorkers();
  });

  it("never starts a request whose deadline passed while it was queued", async () => {
    const worker = await startWorker();
    const started = heard(worker, "one: first");
    const first = post("/one", "first", { prefer: "wait=1", "content-type": "text/plain" });
    await started;
    const executed: unknown[] = [];
    worker.on("message", (said) => executed.push(said));
    const late = await fetch(`${hub.httpUrl}/one`, {
      method: "POST",
      body: "late",
      headers: { prefer: "wait=0" },
    });
    assert.equal(late.status, 504);
    const queued = hub.request("one", "queued", { timeoutMs: 100 });
    await assert.rejects(queued, { reason: "DEADLINE" });
    assert.equal((await first).status, 504);
    const caller = new AbortController();
    const next = hub.request("one", "after", { signal: caller.signal });
    while (!executed.includes("one: after")) await once(worker, "message");
    caller.abort();
    await assert.rejects(next, { reason: "CALLER_GONE" });
    const begun = executed.filter((said) => String(said).startsWith("one: "));
    assert.deepEqual(begun, ["one: after"]);
    await stopWorkers();
  });

  it("counts one outcome for every request", () => {
    const stats = hub.stats();
    const { answered, failed, deadline, canceled, workerLost, noResponders, queueFull, inFlight } = stats;
    const outcomes = answered + failed + deadline + canceled + workerLost + noResponders + queueFull;
    assert.equal(inFlight, 0);
    assert.equal(stats.requests, outcomes);
  });
});
