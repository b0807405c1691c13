/** Subscribers of a text gateway that never read, beside others that do: what they cost those, and the hub's memory. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { OriginalText, readFrame } from "./original-text.ts";

const TARGET = "ticks";
const READERS = 10;
const SLOW = 5;
/** Publications a second: enough to fill every buffer on the way to one that does not read. */
const RATE = 500;
const BODY = "x".repeat(4_096);
/** Between two signs of life of a subscriber that does not read. Milliseconds. */
const PING_MS = 100;
/** A process's memory moves by itself. */
const TOLERANCE = 1.1;

export interface Costs {
  /** Of the readers, milliseconds: without slow ones, while they are there, after they have been ended. */
  readonly p99: readonly [before: number, during: number, after: number];
  /** Of the hub, resident, MiB. */
  readonly memory: readonly [before: number, peak: number, after: number];
  readonly evicted: number;
}

interface HubProcess {
  readonly child: ChildProcess;
  readonly url: string;
}

async function startHub(): Promise<HubProcess> {
  const main = fileURLToPath(new URL("../../../../dist/cli/main.js", import.meta.url));
  const argv = [main, "serve", "--http", "off", "--text", "127.0.0.1:0", "--log", "off"];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the hub ended with ${code}`)));
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on("line", (line) => {
        const found = /ws:\/\/\S+:\d+/.exec(line);
        if (found) resolve(found[0]);
      });
  });
  return { child, url };
}

/** Resident memory of a process. MiB. */
function rss({ child: { pid } }: HubProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1_024;
}

/** Publishes at a steady rate, and takes down how long each publication needs to each reader. */
class Feed {
  readonly #publisher: OriginalText;
  readonly #hub: HubProcess;
  /** By the second in which it was published. */
  #latencies: number[][] = [];
  #started = 0;
  #sent = 0;
  peak = 0;

  constructor(hub: HubProcess, publisher: OriginalText, readers: readonly OriginalText[]) {
    this.#hub = hub;
    this.#publisher = publisher;
    for (const reader of readers) {
      let next = 0;
      reader.onFrame = (text) => {
        const { body } = readFrame(text);
        const [number, sent] = body.split(" ", 2).map(Number) as [number, number];
        assert.equal(number, next++, "a reader has missed something");
        const second = Math.floor((sent - this.#started) / 1_000);
        (this.#latencies[second] ??= []).push(performance.now() - sent);
      };
    }
  }

  /** Returns the 99th percentile of a second, as it is in the middle of all: a machine that is busy for one does not count. */
  async run(goOn: () => boolean): Promise<number> {
    this.#latencies = [];
    this.#started = performance.now();
    const first = this.#sent;
    while (goOn()) {
      const due = first + ((performance.now() - this.#started) / 1_000) * RATE;
      for (; this.#sent < due; this.#sent++)
        this.#publisher.tell("PUB", TARGET, [], `${this.#sent} ${performance.now()} ${BODY}`);
      this.peak = Math.max(this.peak, rss(this.#hub));
      await sleep(2);
    }
    while (this.#latencies.flat().length < (this.#sent - first) * READERS) await sleep(5);
    const seconds = this.#latencies.map((latencies) => quantile(latencies, 0.99));
    return quantile(seconds, 0.5);
  }

  runFor(seconds: number): Promise<number> {
    const end = performance.now() + seconds * 1_000;
    return this.run(() => performance.now() < end);
  }
}

function quantile(values: readonly number[], share: number): number {
  return Float64Array.from(values).toSorted()[Math.floor(values.length * share)]!;
}

async function subscriber(url: string): Promise<OriginalText> {
  const one = await OriginalText.dial(url);
  one.tell("SUB", TARGET);
  await one.settled();
  return one;
}

/** Each phase takes this many seconds, or longer where the hub has not ended all of the slow ones by then. */
export async function measureSlowSubscribers(seconds: number): Promise<Costs> {
  const hub = await startHub();
  try {
    const readers: OriginalText[] = [];
    for (let index = 0; index < READERS; index++) readers.push(await subscriber(hub.url));
    const feed = new Feed(hub, await OriginalText.dial(hub.url), readers);
    await feed.runFor(seconds); // warms up
    const before = await feed.runFor(seconds);
    const memoryBefore = rss(hub);

    let evicted = 0;
    const timers: ReturnType<typeof setInterval>[] = [];
    for (let index = 0; index < SLOW; index++) {
      const slow = await subscriber(hub.url);
      slow.socket.once("close", () => evicted++);
      slow.socket.pause();
      // A write is how a program that reads nothing hears that the connection is gone.
      timers.push(setInterval(() => slow.socket.ping(), PING_MS));
    }
    const least = performance.now() + seconds * 1_000;
    const most = least + 60_000;
    const during = await feed.run(() => {
      const now = performance.now();
      return now < most && (now < least || evicted < SLOW);
    });
    for (const timer of timers) clearInterval(timer);

    const peak = feed.peak;
    const after = await feed.runFor(seconds);
    let memoryAfter = rss(hub);
    for (let wait = 0; wait < 30 && memoryAfter > memoryBefore * TOLERANCE; wait++) {
      await sleep(1_000);
      memoryAfter = rss(hub);
    }
    for (const reader of readers) await reader[Symbol.asyncDispose]();
    return { p99: [before, during, after], memory: [memoryBefore, peak, memoryAfter], evicted };
  } finally {
    hub.child.kill();
    await once(hub.child, "exit");
  }
}

/** Throws when the slow ones are still there, or have cost too much. */
export function judge({ p99: [before, during], memory: [baseline, , after], evicted }: Costs): void {
  assert.equal(evicted, SLOW, "all of them are ended");
  assert.ok(during <= 2 * before, "the others' p99 at most doubles");
  assert.ok(after <= baseline * TOLERANCE, "memory returns to what it was");
}
