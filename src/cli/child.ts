/** Programs that are started for work, and how they are ended. */
import { withoutKeys } from "./key-file.ts";
import { Readable, type Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { HAS_GROUPS, startPiped, type PipedProcess } from "../supervisor/piped-process.ts";
import type { PipeSource } from "../supervisor/pipes.ts";
import { endProcesses, sendSignal } from "../supervisor/processes.ts";
import { problemOf } from "../supervisor/startable.ts";
import { CliError, Exit } from "./failure.ts";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** How a program has ended: one of both is set. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A program at work. Its output ends with the program itself: processes that it leaves behind may hold the pipes open for
 * as long as they like, and what they write to stdout later is dropped.
 */
export class RunningProgram {
  readonly stdin: Writable;
  /** What the program has written until its end. */
  readonly stdout: Readable;
  /** Everything that is written to it. */
  readonly stderr: Readable;
  /** Resolves when the program has ended, and what it has written before has been read from the pipes. */
  readonly finished: Promise<ProgramEnd>;
  readonly #child: PipedProcess["child"];
  readonly #exited: Promise<ProgramEnd>;
  #ending: Promise<unknown> | undefined;

  constructor({ child, stdin, stdout, stderr }: PipedProcess & { readonly stdin: Writable }) {
    const output = new ProgramOutput(stdout);
    this.stdin = stdin;
    this.stdout = output;
    this.stderr = stderr;
    this.#child = child;
    stdin.on("error", () => undefined); // a program need not read what it is sent; how it ends says the rest
    this.#exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    this.finished = this.#exited.then(async (end) => {
      stdin.destroy();
      await Promise.all([output.finish(), readUp(stderr), this.#ending]);
      for (const pipe of [stdout, stderr]) pipe.unref(); // a process left behind does not keep this one alive
      return end;
    });
  }

  /** The number of its process, and of its group. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Asks the program to end with SIGTERM; ends it, and what it has started, with SIGKILL after `graceMs`. */
  end(graceMs: number): void {
    this.#ending ??= this.#end(graceMs);
  }

  /** Sends a signal to the program and everything it started. */
  signal(signal: NodeJS.Signals): void {
    if (HAS_GROUPS) sendSignal(-this.#child.pid, signal);
    else this.#child.kill(signal);
  }

  async #end(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs;
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    await this.#exited;
    clearTimeout(timer);
    if (HAS_GROUPS) await endProcesses({ group: this.#child.pid }, Math.max(0, until - performance.now()));
  }
}

/** After a program's end: reads of a pipe until it counts as read up. A process left behind may write without a pause. */
const LAST_READS = 32;
/** Of a program's output, when its reader is slower. With less, the pipe would be stopped and started for each read. Bytes. */
const READ_AHEAD = 262_144;

/** The stdout of a program up to the program's end, which a pipe by itself does not show. */
class ProgramOutput extends Readable {
  readonly #source: Readable;
  #hasEnded = false;

  constructor(source: Readable) {
    super({ highWaterMark: READ_AHEAD });
    this.#source = source;
    source.on("data", (chunk: Uint8Array) => {
      if (!this.#hasEnded && !this.push(chunk)) source.pause();
    });
    source.once("end", () => this.#end());
    source.once("error", () => this.#end());
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (!this.#hasEnded) this.#source.destroy(); // the rest is not wanted
    this.#hasEnded = true;
    callback(error);
  }

  /** Call it when the program has ended. What the pipe holds is taken at once: it is no more than a pipe can hold. */
  async finish(): Promise<void> {
    if (!this.#hasEnded) await readUp(this.#source);
    this.#end();
    this.#source.resume(); // a process left behind may go on writing
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.push(null);
  }
}

/** Resolves when what was in the pipe by now has been read. */
async function readUp(source: Readable): Promise<void> {
  let hasMore = false;
  const noted = (): void => {
    hasMore = true;
  };
  source.on("data", noted);
  for (let reads = 0; reads < LAST_READS && !source.destroyed && !source.readableEnded; reads++) {
    hasMore = false;
    source.resume();
    await turn(); // of this turn of the loop, in which the end was heard
    await turn(); // of the next, which has asked all pipes
    if (!hasMore) break;
  }
  source.off("data", noted);
}

/** Starts the program. Rejects with an Error that says why it cannot be started. */
export async function startProgram(
  { command, args }: Program,
  source: PipeSource,
  environment: NodeJS.ProcessEnv = {},
): Promise<RunningProgram> {
  const env = { ...withoutKeys(process.env), ...environment };
  const { stdin, ...rest } = await startPiped({ command, args, env, hasInput: true }, source);
  return new RunningProgram({ ...rest, stdin: stdin! }); // it has one
}

/** How a program ended, in words. */
export function describeEnd({ code, signal }: ProgramEnd): string {
  return signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
}

/** Rejects with `COMMAND_NOT_FOUND` when the command cannot be started, before anything relies on it. */
export async function checkProgram({ command }: Program): Promise<void> {
  if (!HAS_GROUPS) return; // Windows has rules of its own for what can be started
  const hint = await problemOf({ command, env: process.env });
  if (hint !== undefined)
    throw new CliError(Exit.usage, "COMMAND_NOT_FOUND", `cannot start "${command}"`, { hint });
}
