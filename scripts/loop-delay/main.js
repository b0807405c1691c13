/**
 * How long a hub does not answer while something large happens to it, measured inside and outside:
 *
 *   npm run soak:loop                     everything
 *   npm run soak:loop -- leave lost       some of it
 *   npm run soak:loop -- lost --scale 0.1 with a tenth of everybody
 *   npm run soak:loop -- lost --hub-args=--cpu-prof
 *
 * It prints a line for each: what happened, the longest time for which the loop was blocked (without what the machine took
 * for others), the longest time in all, and the slowest answer to a request that is made every 5 ms. Build first.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect } from "lintel";

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */
/** @typedef {{ httpUrl: string, urls: string[], grpcUrl: string }} Doors */

const { values, positionals } = parseArgs({
  options: { scale: { type: "string", default: "1" }, "hub-args": { type: "string", default: "" } },
  allowPositionals: true,
});
const SCALE = Number(values.scale);

/** @type {Set<ChildProcess>} */
const children = new Set();

/** @param {string} file @param {string[]} args */
async function start(file, ...args) {
  const execArgv = file === "hub.js" ? values["hub-args"].split(" ").filter(Boolean) : [];
  const child = fork(new URL(file, import.meta.url), args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv,
  });
  children.add(child);
  child.on("exit", () => children.delete(child));
  const said = await heard(child);
  return { child, said };
}

/** @param {ChildProcess} child @returns {Promise<any>} */
async function heard(child) {
  const [said] = await once(child, "message");
  return said;
}

/** @param {ChildProcess} child */
function ask(child) {
  const answer = heard(child);
  child.send("go");
  return answer;
}

/** @param {number} count */
const some = (count) => Math.max(1, Math.round(count * SCALE));

/**
 * What can happen. Each gets the doors of a hub, a function that starts an actor, and one that starts the measurement.
 *
 * @typedef {{ doors: Doors, hub: ChildProcess, act: (what: string, details: object) => Promise<ChildProcess>, measure: () => Promise<unknown> }} Stage
 * @type {Record<string, { title: string, limits?: object, run: (stage: Stage) => Promise<unknown> }>}
 */
const EVENTS = {
  streams: {
    title: "1,000 callers start a stream of 50 MB and read nothing",
    async run({ doors, act, measure }) {
      await act("streams", { url: doors.urls[1], count: 8 });
      const callers = await act("silent", { url: doors.httpUrl, count: some(1_000) });
      await measure();
      callers.send("go");
      await sleep(10_000);
    },
  },
  events: {
    title: "1,000 callers start a sequence of small values without end and read nothing",
    async run({ doors, act, measure }) {
      await act("values", { url: doors.urls[1], count: some(8) });
      const callers = await act("silent", { url: doors.httpUrl, count: some(1_000) });
      await measure();
      callers.send("go");
      await sleep(10_000);
    },
  },
  leave: {
    title: "6,000 sessions leave at once",
    async run({ doors, act, measure }) {
      const workers = await act("workers", { url: doors.urls[0], count: some(6_000), subject: "w.#" });
      await measure();
      workers.kill("SIGKILL");
      await sleep(5_000);
    },
  },
  subscribers: {
    title: "6,000 subscribers of one pattern leave at once",
    async run({ doors, act, measure }) {
      const subscribers = await act("subscribers", { url: doors.urls[0], count: some(6_000) });
      await measure();
      subscribers.kill("SIGKILL");
      await sleep(5_000);
    },
  },
  members: {
    title: "4,000 workers of one subject leave at once, with 64,000 requests",
    async run({ doors, act, measure }) {
      const workers = await act("workers", { url: doors.urls[0], count: some(4_000), subject: "w" });
      await act("callers", { url: doors.urls[0], count: 4, each: some(16_000) });
      await measure();
      workers.kill("SIGKILL");
      await sleep(5_000);
    },
  },
  lost: {
    title: "1,000 workers are lost, with 120,000 requests in flight",
    async run({ doors, act, measure }) {
      const workers = await act("workers", { url: doors.urls[0], count: some(1_000), subject: "w.#" });
      await act("callers", { url: doors.urls[0], count: 4, each: some(30_000), subject: "w.#.0" });
      await measure();
      workers.kill("SIGKILL");
      await sleep(15_000);
    },
  },
  deadlines: {
    title: "100,000 deadlines pass at once",
    async run({ doors, act, measure }) {
      await act("workers", { url: doors.urls[0], count: some(1_000), subject: "w.#" });
      const details = {
        url: doors.urls[0],
        count: 2,
        each: some(50_000),
        subject: "w.#.0",
        timeoutMs: 12_000,
      };
      await act("callers", details);
      await measure();
      await sleep(12_000);
    },
  },
  cancel: {
    title: "a caller with 65,000 requests is gone",
    async run({ doors, act, measure }) {
      await act("workers", { url: doors.urls[0], count: some(1_000), subject: "w.#" });
      const callers = await act("callers", {
        url: doors.urls[0],
        count: 1,
        each: some(65_000),
        subject: "w.#.0",
      });
      await measure();
      callers.kill("SIGKILL");
      await sleep(5_000);
    },
  },
  resets: {
    title: "10 connections of h2c with 10,000 streams each that are reset at once",
    async run({ doors, act, measure }) {
      const flood = await act("resets", { url: doors.urls[2], count: 10, each: some(10_000) });
      await measure();
      flood.send("go");
      await sleep(5_000);
    },
  },
  grpc: {
    title: "10 connections of gRPC with 10,000 calls each that are reset at once",
    async run({ doors, act, measure }) {
      const subject = "/lintel.v1.Worker/Work";
      const flood = await act("resets", { url: doors.grpcUrl, count: 10, each: some(10_000), subject });
      await measure();
      flood.send("go");
      await sleep(5_000);
    },
  },
  publish: {
    title: "one publication to 10,000 sessions",
    async run({ doors, act, measure }) {
      for (let at = 0; at < 2; at++) await act("subscribers", { url: doors.urls[0], count: some(5_000) });
      const peer = await connect(doors.urls[0] ?? "");
      await measure();
      for (let at = 0; at < 5; at++) {
        await peer.publish("s", { at });
        await sleep(500);
      }
      await peer.close();
    },
  },
};

/** The slowest answer to requests that are made one after the other, 5 ms apart. @param {string} httpUrl */
function probe(httpUrl) {
  const { hostname, port } = new URL(httpUrl);
  const socket = createConnection({ host: hostname, port: Number(port) });
  let slowest = 0;
  let since = 0;
  const next = () => {
    since = performance.now();
    socket.write(`GET /probe HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  };
  socket.on("connect", next);
  socket.on("data", () => {
    slowest = Math.max(slowest, performance.now() - since);
    since = Infinity;
    setTimeout(next, 5);
  });
  return () => {
    socket.destroy();
    return Math.max(slowest, performance.now() - since);
  };
}

/** @param {string} name @returns {Promise<void>} */
async function soak(name) {
  const event = EVENTS[name];
  if (event === undefined) throw new Error(`"${name}" is none of ${Object.keys(EVENTS).join(", ")}`);
  const directory = mkdtempSync(join(tmpdir(), "lintel-soak-"));
  const { child: hub, said: doors } = await start("hub.js", directory, JSON.stringify(event.limits ?? {}));
  let slowest = () => 0;
  const act = async (/** @type {string} */ what, /** @type {object} */ details) =>
    (await start("actor.js", what, JSON.stringify(details))).child;
  const measure = async () => {
    await sleep(1_500); // what has been set up is through
    slowest = probe(doors.httpUrl);
    await sleep(200);
    await ask(hub);
  };
  try {
    await event.run({ doors, hub, act, measure });
    const { late, blocked } = await ask(hub);
    const times = [blocked, late, slowest()].map((ms) => `${ms.toFixed(0).padStart(7)} ms`);
    console.log(
      `${name.padEnd(12)} blocked ${times[0]}, late ${times[1]}, slowest answer ${times[2]}: ${event.title}`,
    );
  } finally {
    hub.disconnect(); // ends it, so that a profile of it is written
    await once(hub, "exit");
    for (const child of children) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const name of positionals.length > 0 ? positionals : Object.keys(EVENTS)) await soak(name);
process.exit(0);
