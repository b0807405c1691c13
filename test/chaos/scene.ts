/** The processes of one run: a hub on fixed ports, workers behind cables, and what they have written down. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Cable } from "../engine/remote/harness.ts";
import type { HubState } from "./hub-process.ts";
import type { Execution, HubRecord } from "./ledger.ts";

const WORKERS = ["w0", "w1", "w2"] as const;
const POLLERS = ["p0"] as const;

/** A process that is started again when it has ended. */
interface Part {
  readonly name: string;
  readonly file: string;
  args(): string[];
  child: ChildProcess;
}

export class Scene {
  readonly #folder = mkdtempSync(join(tmpdir(), "lintel-chaos-"));
  readonly #workers: Part[] = [];
  readonly #cables: Cable[] = [];
  readonly #exits: string[] = [];
  readonly #errors: string[] = [];
  #hub!: Part;
  #ports = { http: 0, tcp: 0 };
  /** Exits that a fault has asked for. */
  readonly #wanted = new WeakSet<ChildProcess>();

  static async start(): Promise<Scene> {
    const scene = new Scene();
    scene.#hub = scene.#part("hub", "hub-process.js", () => [
      String(scene.#ports.http),
      String(scene.#ports.tcp),
      scene.#socket,
      scene.#ledger("hub"),
    ]);
    [scene.#ports] = (await once(scene.#hub.child, "message")) as [{ http: number; tcp: number }];
    const tcp = `tcp://127.0.0.1:${scene.#ports.tcp}`;
    for (const name of WORKERS) {
      const cable = await Cable.to(tcp);
      scene.#cables.push(cable);
      const url = name === "w2" ? scene.socketUrl : cable.url;
      const part = scene.#part(name, "worker-process.js", () => [name, url, scene.#ledger(name)]);
      scene.#workers.push(part);
      await served(part.child);
    }
    for (const name of POLLERS) {
      const part = scene.#part(name, "poller-process.js", () => [
        name,
        String(scene.#ports.http),
        scene.#ledger(name),
      ]);
      scene.#workers.push(part);
      await served(part.child);
    }
    scene.#cables.push(await Cable.to(tcp)); // for callers
    return scene;
  }

  get httpPort(): number {
    return this.#ports.http;
  }

  get tcpPort(): number {
    return this.#ports.tcp;
  }

  get socketUrl(): string {
    return `unix://${this.#socket}`;
  }

  /** The way of callers to the hub that faults cut. */
  get callersUrl(): string {
    return this.#cables.at(-1)!.url;
  }

  /** Cables of workers and callers. */
  get cables(): readonly Cable[] {
    return this.#cables;
  }

  get workers(): readonly string[] {
    return this.#workers.map(({ name }) => name);
  }

  /** What went wrong with processes: exits nobody asked for, and what was written to stderr. */
  get failures(): readonly string[] {
    return [...this.#exits, ...this.#errors];
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.#find(name).child.kill(signal);
  }

  /** Ends a process by a signal, and starts it anew. Resolves with its exit code when it does its work again. */
  async restart(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const part = this.#find(name);
    const old = part.child;
    this.#wanted.add(old);
    const ended = once(old, "exit") as Promise<[number | null]>;
    old.kill(signal);
    const [code] = await ended;
    part.child = this.#fork(part);
    await (part === this.#hub ? once(part.child, "message") : served(part.child));
    return code;
  }

  async hubState(): Promise<HubState> {
    const answer = once(this.#hub.child, "message") as Promise<[HubState]>;
    this.#hub.child.send("state");
    const [state] = await answer;
    return state;
  }

  hubRecords(): HubRecord[] {
    return this.#lines("hub").map(([nonce = "", status = "", reason = ""]) => ({
      nonce,
      status: Number(status),
      reason,
    }));
  }

  executions(): Execution[] {
    return this.workers.flatMap((name) =>
      this.#lines(name).map(([nonce = "", worker = ""]) => ({ nonce, worker })),
    );
  }

  async end(): Promise<void> {
    for (const { child } of [this.#hub, ...this.#workers]) {
      this.#wanted.add(child);
      child.kill("SIGKILL");
    }
    for (const cable of this.#cables) await cable[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }

  get #socket(): string {
    return join(this.#folder, "hub.sock");
  }

  #ledger(name: string): string {
    return join(this.#folder, `${name}.ledger`);
  }

  #lines(name: string): string[][] {
    const path = this.#ledger(name);
    if (!existsSync(path)) return [];
    return readFileSync(path, "latin1")
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split(" "));
  }

  #find(name: string): Part {
    return [this.#hub, ...this.#workers].find((part) => part.name === name)!;
  }

  #part(name: string, file: string, args: () => string[]): Part {
    const part = { name, file, args };
    return Object.assign(part, { child: this.#fork(part) });
  }

  #fork({ name, file, args }: Omit<Part, "child">): ChildProcess {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const child = fork(path, args(), { execArgv: ["--expose-gc"], silent: true });
    child.stderr?.on(
      "data",
      (text: Buffer) => void this.#errors.push(`${name} wrote: ${text.toString().trim()}`),
    );
    child.on("exit", (code, signal) => {
      if (!this.#wanted.has(child)) this.#exits.push(`${name} ended by itself: ${signal ?? code}`);
    });
    return child;
  }
}

/** Resolves when a worker says that it serves. */
async function served(child: ChildProcess): Promise<void> {
  for (;;) {
    const [message] = (await once(child, "message")) as [unknown];
    if (message === "serving") return;
  }
}
