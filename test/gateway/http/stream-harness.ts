/** A hub, a worker in another process over a unix socket, and real callers. */
import { fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { HttpOptions } from "../../../src/gateway/http/options.ts";
import type { RequestRecord } from "../../../src/observe/observer.ts";
import { createHub, type Hub } from "../../../src/index.ts";
import { Running } from "../../cli/cli-process.ts";
import { PATIENCE_MS } from "../../house/until.ts";

const WORKER = fileURLToPath(new URL("stream-worker-process.js", import.meta.url));

export class Harness {
  readonly hub: Hub;
  readonly records: readonly RequestRecord[];
  /** What the worker has said, and nobody has waited for. */
  readonly heard: string[] = [];
  readonly #worker: ReturnType<typeof fork>;
  readonly #news = new EventEmitter();

  constructor(hub: Hub, worker: ReturnType<typeof fork>, records: readonly RequestRecord[]) {
    this.hub = hub;
    this.records = records;
    this.#worker = worker;
    worker.on("message", (word: string) => {
      this.heard.push(word);
      this.#news.emit("word");
    });
  }

  get url(): string {
    return this.hub.httpUrl!;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** The next thing the worker says that matches; what it said before that is forgotten. */
  async says(pattern: RegExp): Promise<string> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      for (let word = this.heard.shift(); word !== undefined; word = this.heard.shift())
        if (pattern.test(word)) return word;
      await once(this.#news, "word", { signal });
    }
  }

  /** Waits until the worker has said nothing of this kind for a while. Returns the last it did say. */
  async settled(pattern = /^produced/, quietMs = 300): Promise<string> {
    let last = "";
    for (;;) {
      const signal = AbortSignal.timeout(quietMs);
      for (let word = this.heard.shift(); word !== undefined; word = this.heard.shift())
        if (pattern.test(word)) last = word;
      try {
        await once(this.#news, "word", { signal });
      } catch {
        return last;
      }
    }
  }

  tell(word: string): void {
    this.#worker.send(word);
  }

  kill(): void {
    this.#worker.kill("SIGKILL");
  }

  /** Runs the real curl. */
  curl(path: string, ...args: readonly string[]): Running {
    return new Running("curl", ["--silent", "--no-buffer", ...args, `${this.url}${path}`]);
  }
}

export async function openHarness(context: TestContext, http: HttpOptions = {}): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), "lintel-streams-"));
  const records: RequestRecord[] = [];
  const hub = await createHub({
    http: { port: 0, hosts: ["a"], onRequest: (record) => records.push(record), ...http },
    listen: [`unix://${join(folder, "hub.sock")}`],
  });
  const worker = fork(WORKER, [hub.urls[0]!]);
  context.after(async () => {
    worker.kill("SIGKILL");
    await hub.close();
    await rm(folder, { recursive: true });
  });
  const harness = new Harness(hub, worker, records);
  await harness.says(/^serving$/);
  return harness;
}

/** What `counting` of the worker produces. */
export function counted(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) bytes[at] = at % 251;
  return bytes;
}
