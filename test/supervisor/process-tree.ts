/** Real processes as the system sees them. */
import { readFileSync, readdirSync } from "node:fs";

/** Processes that run and have this text in their environment or on their command line. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry);
    return Number.isInteger(pid) && isRunning(pid) && tells(pid, text) ? [pid] : [];
  });
}

/** False for zombies: whoever should have taken note of their end has not yet. */
export function isRunning(pid: number): boolean {
  const stat = read(pid, "stat");
  const state = stat.charAt(stat.lastIndexOf(")") + 2);
  return state !== "" && !"ZX".includes(state);
}

function tells(pid: number, text: string): boolean {
  return read(pid, "environ").includes(text) || read(pid, "cmdline").includes(text);
}

function read(pid: number, what: string): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, "latin1");
  } catch {
    return ""; // it has ended meanwhile
  }
}
