/**
 * Processes that belong together: those of one group, and those that carry one mark in their environment. A mark is
 * inherited, so it also finds processes that left the group, as daemons do. It is read from /proc; where there is none, the group is
 * all that is known.
 */
import { readFile, readdir } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

export interface Kin {
  /** Process group, by the number of its first process. */
  readonly group?: number | undefined;
  /** `NAME=value` in the environment, with a NUL at the end if it is not just a beginning. */
  readonly mark?: string;
}

/** What the kernel says of a process. */
export interface ProcessStatus {
  readonly isRunning: boolean;
  readonly group: number;
  /** Since the machine's start, in ticks: with the number it tells a process from a later one of the same number. */
  readonly started: string;
}

const HAS_PROC = process.platform === "linux";
const FIRST_POLL_MS = 5;
const LAST_POLL_MS = 200;
/** A process that is still there this long after SIGKILL hangs in the kernel. Milliseconds. */
const KILL_MS = 5_000;

/** Undefined when there is no such process, or no /proc to ask. */
export async function statusOf(pid: number): Promise<ProcessStatus | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  const end = text.lastIndexOf(")"); // the name before it may contain anything
  if (end < 0) return undefined;
  const [state = "", , group = "", ...rest] = text.slice(end + 2).split(" ");
  return { isRunning: !"ZX".includes(state), group: Number(group), started: rest[16] ?? "" };
}

/** What to give to `process.kill` to reach all of them: numbers of processes, or a negative one for a group. */
export async function findProcesses(kin: Kin): Promise<number[]> {
  // Without descriptors left it cannot be read either.
  const entries = HAS_PROC ? await readdir("/proc").catch(() => undefined) : undefined;
  if (entries === undefined) return kin.group !== undefined && sendSignal(-kin.group, 0) ? [-kin.group] : [];
  const found: number[] = [];
  for (const entry of entries) {
    const pid = Number(entry);
    if (Number.isInteger(pid) && pid !== process.pid && (await belongs(pid, kin))) found.push(pid);
  }
  return found;
}

async function belongs(pid: number, { group, mark }: Kin): Promise<boolean> {
  const status = await statusOf(pid);
  if (status === undefined || !status.isRunning) return false;
  if (status.group === group) return true;
  if (mark === undefined) return false;
  // Those of other users cannot be read, and are not ours.
  const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
  return `\0${environment}`.includes(`\0${mark}`);
}

/** Sends a signal; false if the process is gone. */
export function sendSignal(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPERM") return signal === 0;
    return false;
  }
}

/**
 * Ends all of them: SIGTERM, and SIGKILL for those that are there after `graceMs` milliseconds, or once `hurry` fires.
 * Resolves when none is left, with what could not be ended all the same.
 */
export async function endProcesses(kin: Kin, graceMs: number, hurry?: AbortSignal): Promise<number[]> {
  const asked = new Set<number>();
  const graceUntil = performance.now() + graceMs;
  let killedAt: number | undefined;
  for (let waitMs = FIRST_POLL_MS; ; waitMs = Math.min(2 * waitMs, LAST_POLL_MS)) {
    const found = await findProcesses(kin);
    const now = performance.now();
    if (found.length === 0 || (killedAt !== undefined && now - killedAt > KILL_MS)) return found;
    if (now >= graceUntil || hurry?.aborted === true) {
      killedAt ??= now;
      for (const target of found) sendSignal(target, "SIGKILL");
    } else {
      for (const target of found) if (!asked.has(target)) sendSignal(target, "SIGTERM");
      for (const target of found) asked.add(target);
    }
    await pause(waitMs);
  }
}
