/** Kills workers while requests flow, and balances the books of callers, workers and hub. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createHub, type Hub } from "../../../src/index.ts";
import { root } from "../../house/root.ts";
import { seededRandom } from "./random.ts";
import { until } from "../../house/until.ts";

const POLLER = fileURLToPath(new URL("poller-process.js", import.meta.url));
const PUSHED = fileURLToPath(new URL("pushed-process.js", import.meta.url));
/** Requests under way at a time. */
const CALLERS = 64;

/** Processes that are started again when they end, or are made to. */
class Herd {
  readonly #start: (index: number) => ChildProcess;
  readonly #running: ChildProcess[] = [];
  #ended = false;
  /** Processes that were killed, or have killed themselves. */
  killed = 0;

  constructor(size: number, start: (index: number) => ChildProcess) {
    this.#start = start;
    for (let index = 0; index < size; index++) this.#replace(index);
  }

  /** kill -9 */
  kill(index: number): void {
    this.#running[index]?.kill("SIGKILL");
  }

  async end(): Promise<void> {
    this.#ended = true;
    for (const child of this.#running) child.kill("SIGKILL");
    await until(() =>
      this.#running.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null),
    );
  }

  #replace(index: number): void {
    const child = this.#start(index);
    this.#running[index] = child;
    child.once("exit", () => {
      if (this.#ended) return;
      this.killed++;
      this.#replace(index);
    });
  }
}

/** Outcomes of requests by what they ask: status and body. */
type Outcomes = Map<string, { status: number; body: string; times: number }>;

async function askAll(
  hub: Hub,
  service: string,
  count: number,
  onOutcome: (sofar: number) => void,
): Promise<Outcomes> {
  const outcomes: Outcomes = new Map();
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) {
      const nonce = `n${next++}`;
      const response = await fetch(`${hub.httpUrl}/service/${service}`, {
        method: "POST",
        body: nonce,
        headers: { "content-type": "text/plain" },
      });
      const before = outcomes.get(nonce);
      const body = await response.text();
      outcomes.set(nonce, { status: response.status, body, times: (before?.times ?? 0) + 1 });
      onOutcome(outcomes.size);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  assert.equal(outcomes.size, count);
  for (const [nonce, { times }] of outcomes) assert.equal(times, 1, `${nonce} has ${times} outcomes`);
  return outcomes;
}

/** What was seen. */
export interface DeadSockets {
  readonly answered: number;
  /** Failed, by workers that had read the job and did not answer it. */
  readonly dropped: number;
  /** Failed, and no worker has written down that it read them: they were sent to one that was just leaving. */
  readonly unsure: number;
  /** Polls that were answered with a job nobody read. */
  readonly unread: number;
  readonly killed: number;
}

/**
 * Workers that leave, drop jobs and are killed at random, at most once. Every request has one outcome, is answered by what it
 * asked, or was sent to a worker that did not answer. None is read twice.
 */
export async function killPollers(
  jobs: number,
  processes: number,
  each: number,
  seed: number,
): Promise<DeadSockets> {
  const folder = mkdtempSync(join(tmpdir(), "lintel-pollers-"));
  let handedOut = 0;
  await using hub = await createHub({
    http: {
      port: 0,
      onRequest: ({ method, path, status }) => {
        // A worker that answers at /response asks for the next job, too.
        if (status === 200 && (method === "GET" || path.endsWith("/response"))) handedOut++;
      },
    },
    listen: [],
    jobs: { services: { echo: {} } },
    limits: { queue: 10_000 },
  });
  const { port } = new URL(hub.httpUrl!);
  const book = (index: number): string => join(folder, `book-${index}`);
  let started = 0;
  const herd = new Herd(processes, (index) =>
    spawn(process.execPath, [POLLER, port, "echo", String(each), book(index), String(seed + started++)], {
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  try {
    const outcomes = await askAll(hub, "echo", jobs, () => undefined);
    await until(() => hub.stats().inFlight === 0);
    await herd.end();
    const read: string[] = [];
    for (let index = 0; index < processes; index++)
      if (existsSync(book(index))) read.push(...readFileSync(book(index), "latin1").split("\n").slice(0, -1));
    const readers = new Set(read);
    assert.equal(readers.size, read.length, "no job was read twice");
    let answered = 0;
    let unsure = 0;
    for (const [nonce, { status, body }] of outcomes) {
      if (!readers.has(nonce)) {
        assert.notEqual(status, 200, `${nonce} was answered, and nobody has read it: ${body}`);
        unsure++;
      }
      if (status === 200) {
        assert.equal(body, nonce);
        answered++;
      } else assert.match(body, /"reason":"WORKER_LOST"/);
    }
    const unread = handedOut - read.length;
    assert.ok(unsure <= unread, `${unsure} failed unread, and ${unread} were sent to nobody`);
    return { answered, dropped: jobs - answered - unsure, unsure, unread, killed: herd.killed };
  } finally {
    await herd.end();
    rmSync(folder, { recursive: true });
  }
}

/** What was seen. */
export interface KilledWorkers {
  /** Answers by each kind of worker. */
  readonly bash: number;
  readonly program: number;
  readonly killedBash: number;
  readonly killedPrograms: number;
  /** From the first request to the last answer. */
  readonly tookMs: number;
}

/**
 * The bash worker of the examples next to a program, at least once: one or the other is killed now and then, `kills` times,
 * and every request is answered all the same, once and by what it asked.
 */
export async function killWorkers(requests: number, kills: number, seed: number): Promise<KilledWorkers> {
  const random = seededRandom(seed);
  await using hub = await createHub({
    http: { port: 0 },
    listen: ["tcp://127.0.0.1:0"],
    jobs: { services: { upper: { delivery: "at-least-once", leaseMs: 2_000, attempts: 20 } } },
    limits: { queue: 10_000 },
  });
  const bash = new Herd(3, () =>
    spawn("bash", [join(root, "examples/upper-worker.sh"), hub.httpUrl!], { stdio: "ignore" }),
  );
  const programs = new Herd(1, () => spawn(process.execPath, [PUSHED, hub.urls[0]!], { stdio: "ignore" }));
  const killOne = (sofar: number): void => {
    if (sofar % Math.ceil(requests / (kills + 1)) !== 0) return;
    if (random() < 0.5) programs.kill(0);
    else bash.kill(Math.floor(random() * 3));
  };
  try {
    const began = performance.now();
    const outcomes = await askAll(hub, "upper", requests, killOne);
    let byBash = 0;
    for (const [nonce, { status, body }] of outcomes) {
      assert.equal(status, 200, `${nonce}: ${body}`);
      assert.equal(body.trimEnd(), nonce.toUpperCase());
      if (body.endsWith("\n")) byBash++;
    }
    return {
      bash: byBash,
      program: requests - byBash,
      killedBash: bash.killed,
      killedPrograms: programs.killed,
      tookMs: Math.round(performance.now() - began),
    };
  } finally {
    await Promise.all([bash.end(), programs.end()]);
  }
}
