/**
 * Pipes of the kernel. Node connects the programs it starts by sockets, which cannot be opened again: on Linux a program
 * that opens /dev/stdin or /dev/stderr gets ENXIO. Node cannot make pipes, but a shell can: each here-document is one. A
 * shell makes several at a time, they are opened here through /proc, and the shell closes its own.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { Socket } from "node:net";

/** Both ends of a pipe, as descriptors. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** Descriptors of the shell that a here-document can be given; some shells know none of two digits. */
const DESCRIPTORS = [3, 4, 5, 6, 7, 8, 9] as const;
/** A line in: the pipes are made. Another: they are closed. Each is confirmed by a line. It ends with its stdin. */
const SCRIPT = [
  "while read -r _; do",
  `exec ${DESCRIPTORS.map((fd) => `${fd}<<E`).join(" ")}`,
  ...DESCRIPTORS.map(() => "\nE"), // an empty one may be /dev/null
  "echo; read -r _",
  `exec ${DESCRIPTORS.map((fd) => `${fd}<&-`).join(" ")}`,
  "echo",
  "done",
].join("\n");
/** Pipes are made ahead of need until there are so many. */
const SPARE = 7;
/** The shell is ended when it does not answer for so long; another takes its place. Milliseconds. */
const PATIENCE_MS = 10_000;

interface Waiter {
  readonly count: number;
  readonly resolve: (pipes: Pipe[] | undefined) => void;
}

export class PipeSource {
  /** Resolves when the first pipes are there, or it is known that there are none. */
  readonly ready: Promise<void>;
  readonly #spare: Pipe[] = [];
  #waiting: Waiter[] = [];
  #shell: ChildProcess | undefined;
  #isBusy = false;
  /** Set when there have been pipes: what ends the shell then says nothing of the next one. */
  #hasWorked = false;
  /** Set where no pipes are available: without /proc, without a shell, with one whose here-documents are files. */
  #isUseless = process.platform !== "linux"; // elsewhere /dev/stdin is a copy of the descriptor, whatever it is
  #isClosed = false;

  readonly #program: string;

  /** Makes the first pipes, by a shell. */
  constructor(shell = "/bin/sh") {
    this.#program = shell;
    this.ready = this.#refill();
  }

  /** So many pipes; undefined if they cannot be made, or not now. The caller closes them. */
  take(count: number): Promise<Pipe[] | undefined> {
    if (this.#isUseless || this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
      this.#serve();
      void this.#refill();
    });
  }

  /** Closes the pipes that were not taken, and ends the shell. */
  close(): void {
    this.#isClosed = true;
    this.#shell?.stdin?.end();
    this.#giveUp();
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.count <= this.#spare.length) {
      const { count, resolve } = this.#waiting.shift()!;
      resolve(this.#spare.splice(0, count));
    }
  }

  /** Programs that wait for pipes get none. */
  #giveUp(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(undefined);
    if (!this.#isUseless && !this.#isClosed) return;
    for (const { readEnd, writeEnd } of this.#spare.splice(0)) closeAll([readEnd, writeEnd]);
  }

  async #refill(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (!this.#isUseless && !this.#isClosed && (this.#spare.length < SPARE || this.#waiting.length > 0)) {
      const made = await this.#make();
      if (made === undefined) {
        this.#giveUp();
        break;
      }
      this.#hasWorked = true;
      this.#spare.push(...made);
      this.#serve();
    }
    if (this.#isClosed) this.#giveUp();
    this.#isBusy = false;
  }

  /** As many pipes as the shell makes at once. */
  async #make(): Promise<Pipe[] | undefined> {
    const shell = (this.#shell ??= this.#startShell());
    if (shell.pid === undefined) return this.#dropShell();
    const answer = await ask(shell);
    if (answer !== "made") return this.#dropShell(answer);
    const made: Pipe[] = [];
    try {
      for (const fd of DESCRIPTORS) made.push(openPipe(`/proc/${shell.pid}/fd/${fd}`));
    } catch (error) {
      for (const { readEnd, writeEnd } of made) closeAll([readEnd, writeEnd]);
      if (!isExhaustion(error) || (await ask(shell)) !== "made") this.#dropShell();
      return undefined;
    }
    if ((await ask(shell)) === "made") return made; // only now no other process has an end of them
    for (const { readEnd, writeEnd } of made) closeAll([readEnd, writeEnd]);
    return this.#dropShell();
  }

  #startShell(): ChildProcess {
    // A group of its own: what ends ours must not end it before the programs that are under way.
    const shell = spawn(this.#program, ["-c", SCRIPT], {
      env: {},
      cwd: "/",
      stdio: ["pipe", "pipe", "ignore"],
      detached: true,
    });
    shell.on("error", () => undefined); // it has no pid, then
    shell.stdin.on("error", () => undefined); // it has ended: it will not answer
    shell.unref();
    for (const stream of [shell.stdin, shell.stdout]) (stream as Socket).unref(); // sockets, as Node makes them
    return shell;
  }

  #dropShell(why: "ended" | "late" = "ended"): undefined {
    if (!this.#hasWorked && why === "ended") this.#isUseless = true;
    this.#shell?.kill("SIGKILL");
    this.#shell = undefined;
  }
}

export function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeSync(descriptor);
}

/** Sends the shell a line, and waits for the one it answers with. */
function ask({ stdin, stdout }: ChildProcess): Promise<"made" | "ended" | "late"> {
  return new Promise((resolve) => {
    const done = (answer: "made" | "ended" | "late"): void => {
      clearTimeout(timer);
      stdout?.off("data", onData).off("close", onClose);
      resolve(answer);
    };
    const onData = (): void => done("made");
    const onClose = (): void => done("ended");
    const timer = setTimeout(() => done("late"), PATIENCE_MS);
    stdout?.on("data", onData).on("close", onClose);
    stdin?.write("\n");
  });
}

/** Opens the pipe that is behind this path, and takes out what the shell has written into it. Throws when it is none. */
function openPipe(path: string): Pipe {
  const readEnd = openSync(path, constants.O_RDONLY);
  try {
    if (!fstatSync(readEnd).isFIFO()) throw new Error(`${path} is not a pipe`);
    const writeEnd = openSync(path, constants.O_WRONLY);
    readSync(readEnd, Buffer.alloc(16));
    return { readEnd, writeEnd };
  } catch (error) {
    closeSync(readEnd);
    throw error;
  }
}

function isExhaustion(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EMFILE" || code === "ENFILE";
}
