/** Programs that are started for work, and how they are ended. */
import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { constants, accessSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { CliError, Exit } from "./failure.ts";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * Groups exist on POSIX: what a shell started ends with it, and Ctrl-C reaches the worker alone, which lets the jobs in
 * hand finish.
 */
const GROUPS = process.platform !== "win32";

export type PipedChild = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts the program with pipes, in a process group of its own. */
export function startProgram({ command, args }: Program, environment: NodeJS.ProcessEnv = {}): PipedChild {
  const env = { ...process.env, ...environment };
  const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"], detached: GROUPS });
  child.stdin.on("error", () => undefined); // a program need not read what it is sent; how it ends says the rest
  return child;
}

/** Asks the program to end with SIGTERM; ends it with SIGKILL when it still runs after `graceMs`. */
export function endProgram(child: ChildProcess, graceMs: number): void {
  signalProgram(child, "SIGTERM");
  const timer = setTimeout(() => signalProgram(child, "SIGKILL"), graceMs);
  child.once("close", () => clearTimeout(timer));
}

/** Sends a signal to the program and everything it started. */
export function signalProgram(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (GROUPS) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // gone already, as wanted
  }
}

/** How a program ended, in words. */
export function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
}

/** Throws `COMMAND_NOT_FOUND` when the command cannot be started, before anybody relies on it. */
export function checkProgram({ command }: Program): void {
  if (!GROUPS) return; // Windows has rules of its own for what can be started
  const places = command.includes("/")
    ? [command]
    : (process.env["PATH"] ?? "").split(delimiter).map((dir) => join(dir, command));
  if (places.some(isExecutable)) return;
  const hint = command.includes("/")
    ? "is the path right, and the file executable?"
    : "it is in no directory of PATH";
  throw new CliError(Exit.usage, "COMMAND_NOT_FOUND", `cannot start "${command}"`, { hint });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // absent, or not ours to run: either way not startable
  }
}
