/**
 * Passes sockets and files to workers in other processes, which are killed at random meanwhile, and counts the descriptors
 * that are open in the processes that stay.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { Socket, connect as connectSocket, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LintelError, attachment, connect, createHub, type Peer } from "../../../src/index.ts";
import { socketPair } from "../../../src/transport/descriptors/endpoints.ts";

export interface KillOptions {
  readonly passes: number;
  /** One receiver is killed after about so many. */
  readonly passesPerKill: number;
  readonly receivers: number;
  readonly seed: number;
  /** The hub has a process of its own, or is the sender's. */
  readonly hub: "apart" | "own";
}

export interface KillReport {
  readonly passed: number;
  /** Passes that failed, by their reasons. */
  readonly failed: Readonly<Record<string, number>>;
  readonly kills: number;
  /** Descriptors open in the sender's process and in the hub's, before and after. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
}

/** What may become of a pass whose receiver is killed. */
const EXPECTED = new Set(["WORKER_LOST", "NO_RESPONDERS", "CALLER_GONE", "CONNECTION_LOST"]);
const IN_FLIGHT = 8;

const open = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Starts a program of this folder that shares nothing with this process, and waits for its first word. */
export async function start(name: string, ...args: string[]): Promise<ChildProcess> {
  const program = fileURLToPath(new URL(`${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`${name} ended with ${code}`)));
  await Promise.race([once(child.stdout, "data"), ended]);
  ended.catch(() => undefined); // it will be killed
  return child;
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Waits until a number stays the same, or is what it should be: descriptors are closed a little later. */
export async function settledAt(expected: number, count: () => number): Promise<number> {
  for (let tries = 0; count() !== expected && tries < 500; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return count();
}

/** What is passed, and whether it has come. */
interface Item {
  readonly object: Socket | number;
  /** Resolves with what the receiver has done with it. */
  arrival(answer: unknown): Promise<string>;
  drop(): void;
}

class Items {
  readonly #folder: string;
  readonly #server: Server;
  /** Connections are made one after another: then it is clear whose is accepted. */
  #made: Promise<unknown> = Promise.resolve();

  constructor(folder: string, server: Server) {
    this.#folder = folder;
    this.#server = server;
  }

  async make(kind: number, say: string): Promise<Item> {
    if (kind === 0) return this.#file(say);
    if (kind > 1) {
      const [near, far] = socketPair();
      return fromSocket(new Socket({ fd: near }), far);
    }
    const made = this.#made.then(() => this.#connected());
    this.#made = made;
    return made;
  }

  async #connected(): Promise<Item> {
    const accepted = once(this.#server, "connection");
    const near = connectSocket((this.#server.address() as AddressInfo).port, "127.0.0.1");
    return fromSocket(near, (await accepted)[0] as Socket);
  }

  #file(say: string): Item {
    const path = join(this.#folder, `file-${say}`);
    writeFileSync(path, say);
    const fd = openSync(path, "r");
    rmSync(path); // nobody can open it a second time
    return { object: fd, arrival: (answer) => Promise.resolve(String(answer)), drop: () => undefined };
  }
}

/** One end goes; at the other shows what becomes of it. */
function fromSocket(near: Socket, object: Socket | number): Item {
  let heard = "";
  near.on("data", (chunk: Buffer) => (heard += chunk.toString()));
  near.on("error", () => undefined);
  const ended = once(near, "close");
  return {
    object,
    arrival: async () => {
      await ended;
      return heard;
    },
    drop: () => void near.destroy(),
  };
}

export async function passAndKill(options: KillOptions): Promise<KillReport> {
  const folder = mkdtempSync(join(tmpdir(), "lintel-pass-"));
  const url = `unix://${join(folder, "hub.sock")}`;
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const isApart = options.hub === "apart";
  const hub = isApart ? await start("hub-process", join(folder, "hub.sock")) : undefined;
  const sender: Peer = isApart ? await connect(url) : await createHub({ http: false, listen: [url] });
  const run = new KillRun(options, sender, url, new Items(folder, server));
  const pids = { sender: process.pid, ...(hub === undefined ? {} : { hub: hub.pid! }) };
  const count = (): Record<string, number> =>
    Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, open(pid)]));
  try {
    await run.warmUp();
    const before = count();
    await run.all();
    await run.killAll();
    for (const [name, pid] of Object.entries(pids)) await settledAt(before[name]!, () => open(pid));
    return {
      passed: run.passed,
      failed: Object.fromEntries(run.failed),
      kills: run.kills,
      before,
      after: count(),
    };
  } finally {
    await run.killAll();
    await sender.close();
    if (hub !== undefined) await kill(hub);
    server.close();
    rmSync(folder, { recursive: true });
  }
}

class KillRun {
  passed = 0;
  kills = 0;
  readonly failed = new Map<string, number>();
  readonly #options: KillOptions;
  readonly #sender: Peer;
  readonly #url: string;
  readonly #items: Items;
  readonly #receivers = new Set<ChildProcess>();
  /** Killed, and replaced later than now. */
  readonly #starting = new Set<Promise<void>>();
  #state: number;
  #next = 0;

  constructor(options: KillOptions, sender: Peer, url: string, items: Items) {
    this.#options = options;
    this.#sender = sender;
    this.#url = url;
    this.#items = items;
    this.#state = options.seed;
  }

  /** Everything is used once, so that what is opened for good is open, and no receiver is left. */
  async warmUp(): Promise<void> {
    await this.#startOne();
    for (let kind = 0; kind < 4; kind++) await this.#pass(kind, `warm-${kind}`);
    assert.equal(this.passed, 4);
    this.passed = 0;
    await this.killAll();
    // The hub may not have seen yet that it is gone.
    for (let reason = ""; reason !== "NO_RESPONDERS";) {
      reason = await this.#sender.request("receive").then(String, (error: LintelError) => error.reason);
    }
  }

  async all(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.receivers }, () => this.#startOne()));
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => this.#some()));
    await Promise.all(this.#starting);
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#receivers].map((child) => kill(child)));
    this.#receivers.clear();
  }

  async #some(): Promise<void> {
    while (this.#next < this.#options.passes) {
      const number = this.#next++;
      if (this.#random(this.#options.passesPerKill) === 0) this.#killOne();
      await this.#pass(this.#random(4), String(number));
      if (this.#receivers.size === 0) await Promise.race(this.#starting);
    }
  }

  async #pass(kind: number, say: string): Promise<void> {
    const item = await this.#items.make(kind, say);
    try {
      const answer = await this.#sender.request("receive", { item: attachment(item.object), say });
      assert.equal(await item.arrival(answer), say);
      this.passed++;
    } catch (error) {
      if (!(error instanceof LintelError) || !EXPECTED.has(error.reason)) throw error;
      this.failed.set(error.reason, (this.failed.get(error.reason) ?? 0) + 1);
      // Whoever had it is gone, or has it no longer: its other end hears of that.
      assert.ok(["", say].includes(kind === 0 ? "" : await item.arrival(undefined)));
    } finally {
      item.drop();
    }
  }

  #killOne(): void {
    const victims = [...this.#receivers];
    const victim = victims[this.#random(victims.length)];
    if (victim === undefined) return;
    this.#receivers.delete(victim);
    this.kills++;
    const replaced = kill(victim)
      .then(() => this.#startOne())
      .finally(() => this.#starting.delete(replaced));
    this.#starting.add(replaced);
  }

  async #startOne(): Promise<void> {
    this.#receivers.add(await start("receiver-process", this.#url));
  }

  /** Below a number; the same for the same seed. */
  #random(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return below === 0 ? 0 : (this.#state >>> 8) % below;
  }
}

/** Throws when anything is open that was not before. */
export function checkReport({ before, after }: KillReport): void {
  assert.deepEqual(after, before, "descriptors that are open");
}
