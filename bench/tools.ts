/** The programs the suite runs beside Node, found on PATH. */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export type Tool = "nats-server" | "wrk";

/** What `--without` takes, and the tool it leaves out. */
export const LEFT_OUT_BY: Readonly<Record<string, Tool>> = { nats: "nats-server", wrk: "wrk" };

const PROVIDE = fileURLToPath(new URL("../../scripts/provide.js", import.meta.url));

/** Installs the tools that are missing. Throws an error that names those that cannot be had, and how to do without. */
export function provideTools(tools: readonly Tool[]): void {
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  if (missing.length === 0) return;
  // Standard output belongs to the report.
  spawnSync(process.execPath, [PROVIDE, ...missing], { stdio: ["ignore", 2, 2] });
  const absent = missing.filter((tool) => findTool(tool) === undefined);
  if (absent.length === 0) return;
  const flags = Object.entries(LEFT_OUT_BY).flatMap(([name, tool]) => (absent.includes(tool) ? [name] : []));
  throw new Error(
    `${absent.join(" and ")} cannot be had; the lines above say why. Install ${absent.length > 1 ? "them" : "it"}, ` +
      `or leave out what needs ${absent.length > 1 ? "them" : "it"} with --without ${flags.join(",")}`,
  );
}

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
