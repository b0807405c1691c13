// @ts-check
// What `npm run demo` runs: a hub on free ports, workers in processes of their own, and what happens when things go
// wrong. Ends by itself, with exit code 0 when every step went as told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";
import { createHub } from "lintel";

const WORKER = fileURLToPath(new URL("demo-worker.js", import.meta.url));
const LONGEST_MS = 14_000;

const overdue = setTimeout(() => fail(new Error("the demo takes too long")), LONGEST_MS);

const hub = await createHub({
  http: {
    port: 0,
    routes: [
      {
        method: "POST",
        path: "/signup",
        subject: "user.signup",
        mode: "publish",
        reply: { body: { queued: true } },
      },
      { path: "/hurry", subject: "demo.slow", timeout: "300ms" },
    ],
  },
  listen: ["tcp://127.0.0.1:0"],
});
console.log(`a hub listens on ${hub.httpUrl} and ${hub.urls[0]}\n`);

// Workers tell what happens to them by publishing it.
const events = new EventEmitter();
await hub.subscribe("demo.events", (/** @type {{ name: string, event: string }} */ { name, event }) => {
  events.emit(event, name);
});

/** @type {Map<string, import("node:child_process").ChildProcess>} */
const workers = new Map();

try {
  await step("a worker that opens no port answers an HTTP request", askOneWorker);
  await step("two workers share the requests", shareTheLoad);
  await step("a worker is killed while it works: its caller knows at once, the other one goes on", killOne);
  await step("a publish-only route reaches every subscriber", publishToAll);
  await step("a caller hangs up: the worker is told to stop", hangUp);
  await step("a deadline passes: 504 for the caller, and the worker is told to stop", missTheDeadline);
  await step("everything ends cleanly", endCleanly);
  clearTimeout(overdue);
  console.log("\nall went as told");
} catch (error) {
  fail(error);
}

async function askOneWorker() {
  await startWorker("first");
  const answer = await post("/demo/whoami");
  assert.deepEqual([answer.status, answer.text], [200, "first"]);
  return `POST /demo/whoami -> 200 "${answer.text}"`;
}

async function shareTheLoad() {
  await startWorker("second");
  const answers = await Promise.all(Array.from({ length: 100 }, () => post("/demo/whoami")));
  const count = (/** @type {string} */ name) => answers.filter(({ text }) => text === name).length;
  const [first, second] = [count("first"), count("second")];
  assert.equal(first + second, 100);
  assert.ok(first > 0 && second > 0, "one of them got nothing to do");
  return `of 100 requests the first answered ${first}, the second ${second}`;
}

async function killOne() {
  const started = heard("started");
  const request = post("/demo/slow");
  const victim = await started;
  const killedAt = performance.now();
  workers.get(victim)?.kill("SIGKILL");
  const answer = await request;
  const ms = Math.round(performance.now() - killedAt);
  assert.equal(answer.status, 502);
  assert.equal(JSON.parse(answer.text).reason, "WORKER_LOST");
  workers.delete(victim);
  const next = await post("/demo/whoami");
  assert.equal(next.status, 200);
  return `502 WORKER_LOST ${ms} ms after SIGKILL; the next request was answered by the ${next.text}`;
}

async function publishToAll() {
  const mail = once(events, "mail", { signal: AbortSignal.timeout(5000) });
  const audit = once(events, "audit", { signal: AbortSignal.timeout(5000) });
  await hub.subscribe("user.signup", (value) => void events.emit("mail", value));
  await hub.subscribe("user.*", (value) => void events.emit("audit", value));
  const answer = await post("/signup", { name: "Ada" });
  assert.deepEqual([answer.status, answer.text], [202, '{"queued":true}']);
  assert.deepEqual(await Promise.all([mail, audit]), [[{ name: "Ada" }], [{ name: "Ada" }]]);
  return "202 at once; two subscribers got it";
}

async function hangUp() {
  const [started, stopped] = [heard("started"), heard("stopped by CALLER_GONE")];
  const caller = new AbortController();
  const request = post("/demo/slow", undefined, caller.signal);
  await started;
  caller.abort();
  await assert.rejects(request, { name: "AbortError" });
  return `the ${await stopped} worker's signal fired`;
}

async function missTheDeadline() {
  const stopped = heard("stopped by DEADLINE");
  const answer = await post("/hurry");
  assert.equal(answer.status, 504);
  assert.equal(JSON.parse(answer.text).reason, "DEADLINE");
  return `504 DEADLINE, and the ${await stopped} worker's signal fired`;
}

async function endCleanly() {
  await Promise.all([...workers.values()].map(endWorker));
  const answer = await post("/demo/whoami");
  assert.equal(JSON.parse(answer.text).reason, "NO_RESPONDERS");
  await hub.drain();
  return "with no worker left a request fails at once; then the hub drained";
}

/** @param {string} name */
async function startWorker(name) {
  const ready = heard("ready");
  workers.set(name, spawn(process.execPath, [WORKER, hub.urls[0] ?? "", name], { stdio: "inherit" }));
  assert.equal(await ready, name);
}

/** @param {import("node:child_process").ChildProcess} worker */
async function endWorker(worker) {
  const exited = once(worker, "exit");
  worker.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
}

/**
 * The name of the worker that tells of this event next.
 * @param {string} event
 * @returns {Promise<string>}
 */
async function heard(event) {
  const [name] = await once(events, event, { signal: AbortSignal.timeout(5000) });
  return name;
}

/** @param {string} path @param {unknown} [value] @param {AbortSignal} [signal] */
async function post(path, value = {}, signal) {
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(value), ...(signal && { signal }) };
  const response = await fetch(`${hub.httpUrl}${path}`, init);
  return { status: response.status, text: await response.text() };
}

/** @param {string} title @param {() => Promise<string>} run */
async function step(title, run) {
  console.log(title);
  const startedAt = performance.now();
  const outcome = await run();
  console.log(`  ok: ${outcome} (${Math.round(performance.now() - startedAt)} ms)\n`);
}

/** @param {unknown} error */
function fail(error) {
  console.error("  FAILED:", error);
  for (const worker of workers.values()) worker.kill("SIGKILL");
  process.exit(1);
}
