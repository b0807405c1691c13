/** Real processes of the command line, for tests: started, watched by what they print, and always ended. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS } from "../house/until.ts";

/** The command line's program. */
export const MAIN: string = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** What is waited for comes within this, or never. */

export interface SpawnOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Outcome {
  /** Exit code, or the name of the signal that ended the process. */
  readonly exit: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that runs, with everything it has printed so far. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Outcome>;
  stdout = "";
  stderr = "";
  readonly #checks = new Set<() => void>();
  #over = false;

  constructor(command: string, args: readonly string[], { cwd, env }: SpawnOptions = {}) {
    // Node takes terminals to have no colors where CI is set.
    const { LINTEL_HUB: _, NO_COLOR: __, FORCE_COLOR: ___, CI: ____, ...inherited } = process.env;
    this.child = spawn(command, args, { cwd, env: { ...inherited, ...env }, detached: true });
    this.child.stdin.on("error", () => undefined); // a process that ended needs no input
    this.child.stdout.setEncoding("latin1").on("data", (text: string) => this.#printed("stdout", text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => this.#printed("stderr", text));
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        this.#over = true;
        resolve({ exit: signal ?? code, stdout: this.stdout, stderr: this.stderr });
        for (const check of this.#checks) check();
      });
    });
  }

  /** The match of a pattern in what was printed, now or later. Rejects when the process ends without it. */
  async prints(pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<RegExpMatchArray> {
    let late = false;
    const found = await new Promise<RegExpMatchArray | undefined>((resolve) => {
      const check = (): void => {
        const match = this[stream].match(pattern);
        if (match === null && !this.#over && !late) return;
        clearTimeout(timer);
        this.#checks.delete(check);
        resolve(match ?? undefined);
      };
      const timer = setTimeout(() => {
        late = true;
        check();
      }, PATIENCE_MS);
      this.#checks.add(check);
      check();
    });
    if (found !== undefined) return found;
    const how = late ? `did not print ${pattern} in time` : `ended without printing ${pattern}`;
    throw new Error(`${how}:\n${this.stdout}\n${this.stderr}`);
  }

  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Outcome> {
    this.child.kill(signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over || this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, "SIGKILL"); // with all that it started
    } catch {
      // gone already; its pipes are about to close
    }
    await this.ended;
  }

  #printed(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text;
    for (const check of this.#checks) check();
  }
}

/** Starts `lintel ARGS`. */
export function start(args: readonly string[], options?: SpawnOptions): Running {
  return new Running(process.execPath, [MAIN, ...args], options);
}

/** Runs `lintel ARGS` to its end. */
export async function lintel(
  args: readonly string[],
  options: SpawnOptions & { stdin?: string } = {},
): Promise<Outcome> {
  await using running = start(args, options);
  running.child.stdin.end(options.stdin ?? "");
  return await running.ended;
}

/** A promise that the test settles. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

export function defer<T>(): Deferred<T> {
  let settle: ((value: T) => void) | undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle?.(value) };
}

/** Numbers of the processes that a process has started, by /proc. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
  return text.split(" ").filter(Boolean).map(Number);
}
