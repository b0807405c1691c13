/** The tree of processes one run uses, with its temporary directory. Whatever happens, none of it outlives the run. */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Load, Sample } from "./load/sample.ts";
import type { Command, Outcome } from "./protocol.ts";
import type { Addresses, Role } from "./roles.ts";

const OPEN_TIMEOUT_MS = 20_000;
/** Beyond the time a measurement is meant to take. */
const MEASURE_GRACE_MS = 15_000;
const CLOSE_TIMEOUT_MS = 3_000;

const ENTRY = fileURLToPath(new URL("child.js", import.meta.url));
/** Standard output belongs to the report; what children say goes to standard error. */
const STDIO = ["ignore", 2, 2, "ipc"] as const;

/** A child process in its role. */
export class RoleProcess {
  readonly #child: ChildProcess;
  readonly #title: string;
  addresses: Addresses = {};

  constructor(child: ChildProcess, title: string) {
    this.#child = child;
    this.#title = title;
  }

  /** Where others reach it. Throws when the role has no such place. */
  get address(): string {
    return this.#place(this.addresses.address);
  }

  get workerAddress(): string {
    return this.#place(this.addresses.workerAddress);
  }

  async open(role: Role): Promise<this> {
    const outcome = await this.#command({ do: "open", role }, OPEN_TIMEOUT_MS);
    if (outcome.is === "opened") this.addresses = outcome.addresses;
    return this;
  }

  async measure(load: Load, seconds: number): Promise<Sample> {
    const outcome = await this.#command({ do: "measure", load, seconds }, seconds * 1_000 + MEASURE_GRACE_MS);
    if (outcome.is !== "measured") throw new Error(`${this.#title}: unexpected outcome ${outcome.is}`);
    return outcome.sample;
  }

  async close(): Promise<void> {
    if (isGone(this.#child)) return;
    const exited = once(this.#child, "exit");
    if (this.#child.connected) this.#child.send({ do: "close" } satisfies Command);
    await Promise.race([exited, sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
    if (isGone(this.#child)) return;
    this.#child.kill("SIGKILL");
    await exited;
  }

  #place(address: string | undefined): string {
    if (address === undefined) throw new Error(`${this.#title} has no address`);
    return address;
  }

  #command(command: Command, timeoutMs: number): Promise<Outcome> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome): void => {
        clearTimeout(timer);
        child.off("message", settle).off("exit", onExit);
        if (outcome.is === "failed") reject(new Error(`${this.#title}: ${outcome.message}`));
        else resolve(outcome);
      };
      const onExit = (code: number | null): void =>
        settle({ is: "failed", message: `ended with code ${code}` });
      const timer = setTimeout(
        () => settle({ is: "failed", message: `no answer to ${command.do} in time` }),
        timeoutMs,
      );
      child.on("message", settle).on("exit", onExit);
      if (isGone(child) || !child.connected) settle({ is: "failed", message: "has ended" });
      else child.send(command);
    });
  }
}

export class ProcessTree {
  readonly #directory = mkdtempSync(join(tmpdir(), "lintel-bench-"));
  readonly #roles = new Set<RoleProcess>();
  readonly #children = new Set<ChildProcess>();
  #directories = 0;

  /** A fresh directory below the temporary one; short, because a unix socket's path has about 100 bytes. */
  directory(): string {
    const path = join(this.#directory, String(this.#directories++));
    mkdirSync(path);
    return path;
  }

  async fork(role: Role): Promise<RoleProcess> {
    const child = fork(ENTRY, { stdio: [...STDIO] });
    this.#track(child);
    const process = new RoleProcess(child, "of" in role ? `${role.of} ${role.is}` : role.is);
    this.#roles.add(process);
    return await process.open(role);
  }

  /** Runs a program to its end and returns what it printed. Rejects when it fails or takes longer than `timeoutMs`. */
  async run(command: string, argv: readonly string[], timeoutMs: number): Promise<string> {
    const child = spawn(command, argv, {
      stdio: ["ignore", "pipe", 2],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    this.#track(child);
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (part: string) => (text += part));
    const [code] = (await once(child, "close")) as [number | null]; // Node's documented arguments of `close`
    if (code !== 0) throw new Error(`${command} ended with code ${code}`);
    return text;
  }

  /** Ends every process, politely first. The tree can be used again afterwards. */
  async closeRoles(): Promise<void> {
    const roles = [...this.#roles];
    this.#roles.clear();
    await Promise.all(roles.map((role) => role.close()));
  }

  /** Ends everything at once and removes the directory. Synchronous, so that it works in an `exit` handler. */
  abort(): void {
    // SIGTERM and not SIGKILL: the process that runs nats-server takes it along when it ends.
    for (const child of this.#children) if (!isGone(child)) child.kill("SIGTERM");
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #track(child: ChildProcess): void {
    this.#children.add(child);
    child.on("exit", () => this.#children.delete(child));
    child.on("error", () => this.#children.delete(child));
  }
}

function isGone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}
