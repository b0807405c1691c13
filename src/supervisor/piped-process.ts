/** Processes whose stdin, stdout and stderr are pipes, as a shell would start them. */
import { spawn, type ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { closeAll, type Pipe, type PipeSource } from "./pipes.ts";
import { whyNotStarted } from "./startable.ts";

export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Default: ours. */
  readonly directory?: string;
  /** False: its stdin is /dev/null. */
  readonly hasInput: boolean;
}

export interface PipedProcess {
  readonly child: ChildProcess & { readonly pid: number };
  /** Undefined when it has no input. */
  readonly stdin: Writable | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket;
}

/**
 * Groups exist on POSIX: what a process starts ends with it, and a Ctrl-C at the terminal reaches us alone.
 */
export const HAS_GROUPS: boolean = process.platform !== "win32";

/**
 * Starts a process in a group of its own. Its pipes are sockets where the source has no pipes. Rejects with an Error that
 * says why it cannot be started.
 */
export async function startPiped(options: ProcessOptions, source: PipeSource): Promise<PipedProcess> {
  const pipes = await source.take(options.hasInput ? 3 : 2);
  const started = pipes === undefined ? withSockets(options) : withPipes(options, pipes);
  if (started instanceof Error) throw await whyNotStarted(started, options);
  const { child } = started;
  if (isRunning(child)) return { ...started, child };
  const failed = new Promise<Error>((resolve) => child.once("error", resolve));
  for (const stream of [started.stdin, started.stdout, started.stderr]) stream?.destroy();
  throw await whyNotStarted(await failed, options);
}

type Started = Omit<PipedProcess, "child"> & { readonly child: ChildProcess };

function withSockets({ command, args, env, directory, hasInput }: ProcessOptions): Started | Error {
  try {
    const child = spawn(command, args, {
      env,
      cwd: directory,
      stdio: [hasInput ? "pipe" : "ignore", "pipe", "pipe"],
      detached: HAS_GROUPS,
    });
    const { stdin, stdout, stderr } = child;
    return { child, stdin: stdin ?? undefined, stdout: stdout as Socket, stderr: stderr as Socket }; // as Node makes them
  } catch (error) {
    return error as Error; // a NUL in a word, no descriptors left
  }
}

function withPipes(options: ProcessOptions, pipes: readonly Pipe[]): Started | Error {
  const { command, args, env, directory, hasInput } = options;
  const [output, errors, input] = pipes as [Pipe, Pipe, Pipe?];
  const theirs = [output.writeEnd, errors.writeEnd, ...(input === undefined ? [] : [input.readEnd])];
  const ours = [output.readEnd, errors.readEnd, ...(input === undefined ? [] : [input.writeEnd])];
  try {
    const child = spawn(command, args, {
      env,
      cwd: directory,
      stdio: [hasInput ? input!.readEnd : "ignore", output.writeEnd, errors.writeEnd],
      detached: HAS_GROUPS,
    });
    return {
      child,
      stdin: input && new Socket({ fd: input.writeEnd, readable: false, writable: true }),
      stdout: new Socket({ fd: output.readEnd, readable: true, writable: false }),
      stderr: new Socket({ fd: errors.readEnd, readable: true, writable: false }),
    };
  } catch (error) {
    closeAll(ours);
    return error as Error;
  } finally {
    closeAll(theirs);
  }
}

function isRunning(child: ChildProcess): child is PipedProcess["child"] {
  return child.pid !== undefined;
}
