/**
 * The private directory of one running `lintel up`: its sockets, and the lock that keeps a second one out. It is found by
 * the directory of the manifest, so commands need no address.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmod, link, lstat, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LintelError } from "../message/failure.ts";
import { endProcesses, sendSignal, statusOf } from "./processes.ts";

/** The process that holds a directory. */
interface Holder {
  readonly pid: number;
  /** Of the process, so that another with its number is not taken for it. Empty where the system does not tell. */
  readonly started: string;
  /** Random; the processes of this run carry it in their environment. */
  readonly run: string;
}

const LOCK = "lock";
const CONTROL = "control.sock";
/** What the kernel allows for the path of a socket, 107 bytes, less the longest name in the directory. */
const MAX_PATH = 90;
/** What is left of a run that was killed has this long to end by itself. Milliseconds. */
const ORPHAN_GRACE_MS = 2_000;

/** Name of the variable that marks every process of a run: `RUN/SERVICE.NUMBER`. */
export const MARK = "LINTEL_INSTANCE";

/** Where the runtime directory of a project is, whether or not something runs there. */
export function runtimePath(project: string): string {
  const name = createHash("sha256").update(realpathSync(project)).digest("hex").slice(0, 16);
  return join(parentPath(), name);
}

function parentPath(): string {
  const { XDG_RUNTIME_DIR = "" } = process.env;
  return XDG_RUNTIME_DIR === "" ? join(tmpdir(), `lintel-${userId()}`) : join(XDG_RUNTIME_DIR, "lintel");
}

/** The URL where the `lintel up` of a project takes orders. */
export function controlUrl(project: string): string {
  return `unix://${join(runtimePath(project), CONTROL)}`;
}

export class RuntimeDirectory {
  readonly path: string;
  /** The mark of this run. */
  readonly run: string;
  #sockets = 0;

  private constructor(path: string, run: string) {
    this.path = path;
    this.run = run;
  }

  /**
   * Takes the directory of a project for this process, and ends what a killed predecessor has left behind. Rejects with
   * `already_exists` / `ALREADY_RUNNING` while another holds it, and with `failed_precondition` / `NOT_PRIVATE` when
   * others could get in, or `PATH_TOO_LONG`.
   */
  static async claim(project: string): Promise<RuntimeDirectory> {
    const path = runtimePath(project);
    if (Buffer.byteLength(path) > MAX_PATH) {
      const text = `${path} is too long for sockets; set XDG_RUNTIME_DIR to a shorter path`;
      throw new LintelError("failed_precondition", text, { reason: "PATH_TOO_LONG" });
    }
    await makePrivate(parentPath());
    await makePrivate(path);
    const run = randomBytes(12).toString("hex");
    const started = (await statusOf(process.pid))?.started ?? "";
    const before = await lock(path, { pid: process.pid, started, run });
    if (before !== undefined) await endRun(before.run);
    const others = (await readdir(path)).filter((name) => name !== LOCK);
    for (const name of others) await rm(join(path, name), { force: true, recursive: true });
    return new RuntimeDirectory(path, run);
  }

  get controlUrl(): string {
    return `unix://${join(this.path, CONTROL)}`;
  }

  /** A URL that no other socket of this run has. */
  socketUrl(): string {
    this.#sockets += 1;
    return `unix://${join(this.path, `${this.#sockets}.sock`)}`;
  }

  /** Removes the directory. */
  release(): void {
    rmSync(this.path, { force: true, recursive: true });
  }
}

/** Ends every process of a run, wherever it has moved to. */
export async function endRun(run: string): Promise<void> {
  await endProcesses({ mark: `${MARK}=${run}/` }, ORPHAN_GRACE_MS);
}

async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  const isOwn = found.isDirectory() && found.uid === userId();
  if (isOwn && (found.mode & 0o077) !== 0) await chmod(path, 0o700);
  if (isOwn) return;
  const text = `${path} is not a directory of this user: remove it, or set XDG_RUNTIME_DIR`;
  throw new LintelError("failed_precondition", text, { reason: "NOT_PRIVATE" });
}

/** Writes the lock, which becomes visible only when it is complete. Resolves with the dead process that held it, if any. */
async function lock(path: string, holder: Holder): Promise<Holder | undefined> {
  const file = join(path, LOCK);
  const own = `${file}.${holder.run}`;
  await writeFile(own, JSON.stringify(holder), { mode: 0o600 });
  try {
    if (await links(own, file)) return undefined;
    const before = await holderOf(file);
    if (before !== undefined && (await isAlive(before))) throw alreadyRunning(before);
    // Moved away rather than removed: if two processes find it dead, only one moves it, and sees what it has moved.
    const dead = `${own}.dead`;
    await rename(file, dead).catch(() => undefined);
    const moved = await holderOf(dead);
    if (moved?.run !== before?.run) {
      await links(dead, file);
      throw alreadyRunning(moved);
    }
    if (!(await links(own, file))) throw alreadyRunning(await holderOf(file));
    return before;
  } finally {
    await rm(own, { force: true });
    await rm(`${own}.dead`, { force: true });
  }
}

async function links(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    // If the file to be linked is gone, another process holds the lock and has cleaned up.
    if (["EEXIST", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

/** Undefined if there is no lock, or none that can be read: locks are written whole, so such a lock belongs to no process. */
async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    const { pid, started, run } = JSON.parse(await readFile(file, "utf8")) as Partial<Holder>;
    if (!Number.isInteger(pid) || typeof started !== "string" || !/^[0-9a-f]{24}$/.test(run ?? ""))
      return undefined;
    return { pid: pid!, started, run: run! };
  } catch {
    return undefined;
  }
}

async function isAlive({ pid, started }: Holder): Promise<boolean> {
  const status = await statusOf(pid);
  return status === undefined
    ? started === "" && sendSignal(pid, 0)
    : status.isRunning && status.started === started;
}

function alreadyRunning(holder: Holder | undefined): LintelError {
  const who = holder === undefined ? "" : `, as process ${holder.pid}`;
  return new LintelError("already_exists", `lintel up already runs in this directory${who}`, {
    reason: "ALREADY_RUNNING",
  });
}

function userId(): number {
  return process.getuid?.() ?? 0;
}
