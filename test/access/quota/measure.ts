/**
 * Measures whether guessing of keys is slowed, and whether a guesser, or a principal at its quota, slows another. A hub, those that
 * load it, and the caller that is measured are processes of their own. The caller sends 200 requests a second on one connection:
 * alone, while another process guesses a new key with each of so many HTTP requests (one connection, 16 on their way) and then
 * with sessions, and while a principal that may send 100 requests a second sends as many as it can. The machine should do nothing
 * else.
 *
 *   npm run measure:quota -- --guesses 1000000 --sessions 10000
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect as dial } from "node:net";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createKey, sha256Of } from "../../../src/access/keys/key.ts";
import { createHub } from "../../../src/hub/hub.ts";
import { connect } from "../../../src/peer/connect.ts";

const { values, positionals } = parseArgs({
  options: {
    guesses: { type: "string", default: "1000000" },
    sessions: { type: "string", default: "10000" },
    url: { type: "string", default: "" },
    key: { type: "string", default: "" },
    count: { type: "string", default: "0" },
  },
  allowPositionals: true,
});
const IN_FLIGHT = 16;
const ALONE_MS = 5_000;
const GREEDY_MS = 10_000;
/** The caller's requests begin at this distance. Milliseconds. */
const PACE_MS = 5;

const [mode = "all"] = positionals;
if (mode === "hub") await runHub();
else if (mode === "guess") await guess(Number(values.count), () => createKey());
else if (mode === "greedy") await guess(Number(values.count), () => values.key);
else if (mode === "sessions") await guessBySessions(Number(values.count));
else await measure();

async function runHub(): Promise<void> {
  const caller = createKey();
  const greedy = createKey();
  const hub = await createHub({
    http: { port: 0 },
    listen: ["tcp://127.0.0.1:0"],
    access: {
      keys: [
        { name: "caller", role: "client", grants: { request: ["echo"] }, sha256: sha256Of(caller) },
        {
          name: "greedy",
          role: "client",
          grants: { request: ["echo"] },
          sha256: sha256Of(greedy),
          limits: { requestsPerSecond: 100 },
        },
      ],
    },
    onError: () => undefined,
  });
  await hub.serve("echo", (value) => value);
  process.on("message", () => process.send?.(hub.stats().access));
  process.on("disconnect", () => process.exit());
  process.send?.({ http: hub.httpUrl, native: hub.urls[0], caller, greedy });
}

/** Sends requests on one connection, so many at a time, each with the key that comes next. */
async function guess(count: number, nextKey: () => string): Promise<void> {
  const { hostname, port } = new URL(values.url);
  const socket = dial(Number(port), hostname);
  await once(socket, "connect");
  let sent = 0;
  let answered = 0;
  let tail = "";
  const send = (): void => {
    sent++;
    socket.write(
      `POST /echo HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${nextKey()}\r\nContent-Length: 0\r\n\r\n`,
    );
  };
  for (let index = 0; index < IN_FLIGHT && sent < count; index++) send();
  for await (const chunk of socket) {
    const text = tail + (chunk as Buffer).toString("latin1");
    const heads = text.split("HTTP/1.1 ").length - 1;
    tail = /H?T?T?P?\/?1?\.?1? ?$/.exec(text)![0]; // a status line may be cut in two
    if (tail === "HTTP/1.1 ") tail = "";
    answered += heads;
    while (sent - answered < IN_FLIGHT && sent < count) send();
    if (answered >= count) break;
  }
  socket.destroy();
}

async function guessBySessions(count: number): Promise<void> {
  for (let index = 0; index < count; index++)
    await connect(values.url, { token: createKey(), timeoutMs: 5, onError: () => undefined }).then(
      (peer) => peer.close(),
      () => undefined,
    );
}

function start(...args: string[]): ChildProcess {
  return fork(fileURLToPath(import.meta.url), args, { stdio: "inherit" });
}

async function measure(): Promise<void> {
  const hub = start("hub");
  const [ready] = (await once(hub, "message")) as [Record<"http" | "native" | "caller" | "greedy", string>];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const askOnce = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const headers = { authorization: `Bearer ${ready.caller}`, "content-length": "0" };
      const asked = request(`${ready.http}/echo`, { method: "POST", agent, headers }, (answer) => {
        if (answer.statusCode !== 204) reject(new Error(`the caller got ${answer.statusCode}`));
        answer.resume().on("end", () => resolve(performance.now() - began));
      });
      asked.on("error", reject).end();
    });
  /** Latencies until this is over. */
  const latencies = async (over: Promise<unknown>): Promise<number[]> => {
    const all: number[] = [];
    let isOver = false;
    void over.then(() => (isOver = true));
    while (!isOver) {
      const took = await askOnce();
      all.push(took);
      await wait(Math.max(0, PACE_MS - took));
    }
    return all.toSorted((one, other) => one - other);
  };
  const report = (what: string, sorted: number[], base?: number): number => {
    const p99 = sorted[Math.floor(sorted.length * 0.99)]!;
    const median = sorted[Math.floor(sorted.length / 2)]!;
    const ratio = base === undefined ? "" : `, ${(p99 / base).toFixed(2)} of alone`;
    console.log(
      `${what}: median ${median.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms${ratio} (${sorted.length} requests)`,
    );
    return p99;
  };
  const stats = async (): Promise<{ failedAttempts: number; slowedAttempts: number; overLimit: number }> => {
    hub.send("stats");
    const [counted] = (await once(hub, "message")) as [Awaited<ReturnType<typeof stats>>];
    return counted;
  };

  await latencies(wait(2_000));
  const base = report("alone", await latencies(wait(ALONE_MS)));
  const kinds = [
    ["guess", values.guesses, ready.http, "guesses over HTTP"],
    ["sessions", values.sessions, ready.native, "guesses by sessions"],
  ] as const;
  for (const [kind, count, url, what] of kinds) {
    const before = await stats();
    const began = performance.now();
    const guesser = start(kind, "--url", url, "--count", count);
    const during = await latencies(once(guesser, "exit"));
    const seconds = (performance.now() - began) / 1_000;
    const after = await stats();
    report(`during ${what}`, during, base);
    const looked = after.failedAttempts - before.failedAttempts;
    const slowed = after.slowedAttempts - before.slowedAttempts;
    console.log(
      `  ${looked + slowed} in ${seconds.toFixed(1)} s: ${looked} looked at, ${(looked / seconds).toFixed(2)} a second`,
    );
    if (looked / seconds >= 10) process.exitCode = 1;
  }
  const greedy = start("greedy", "--url", ready.http, "--count", "1000000000", "--key", ready.greedy);
  report("beside a principal at its quota", await latencies(wait(GREEDY_MS)), base);
  greedy.kill();
  console.log(`  ${(await stats()).overLimit} of its requests were over its limit`);
  agent.destroy();
  hub.disconnect();
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
