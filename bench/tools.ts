/** The programs the suite runs beside Node, found on PATH. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export type Tool = "nats-server" | "wrk";

/** How to get a tool that is missing. */
export const HOW_TO_GET: Readonly<Record<Tool, string>> = {
  "nats-server": "run `node scripts/provide.js nats-server` (Debian: apt install nats-server)",
  wrk: "Debian: apt install wrk",
};

/** The full path of a tool, or undefined. Service programs often live in /usr/sbin, which is not on every user's PATH. */
export function findTool(tool: Tool): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...folders, "/usr/local/sbin", "/usr/sbin"].map((folder) => join(folder, tool)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there or not ours to run: either way it is not a candidate, and the next folder is looked at.
    return false;
  }
}

/** The version nats-server reports of itself, for the description of the machine. */
export function natsServerVersion(): string {
  const tool = findTool("nats-server");
  if (tool === undefined) return "none";
  const text = execFileSync(tool, ["--version"], { encoding: "utf8", timeout: 5_000 });
  return /v?(\d+\.\d+\.\d+\S*)/.exec(text)?.[1] ?? text.trim();
}
