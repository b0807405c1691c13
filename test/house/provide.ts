import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./root.ts";

/** Makes sure that programs a test needs are there: finds them, or installs them by the system's package manager. */
export function provide(...programs: string[]): void {
  const script = join(root, "scripts/provide.js");
  const { status } = spawnSync(process.execPath, [script, ...programs], { stdio: "inherit" });
  if (status !== 0) throw new Error(`${programs.join(", ")} cannot be provided; the lines above say why`);
}

/** Where the program is, if it is installed. Debian has servers in folders that are not on everybody's PATH. */
export function findProgram(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, program)).find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not for us: it is looked for elsewhere
  }
}

/** Where a program is; installs it where it is missing. */
export function pathOf(program: string): string {
  const script = join(root, "scripts/provide.js");
  const { stdout, stderr } = spawnSync(process.execPath, [script, program], { encoding: "utf8" });
  const found = /: (?:found|installed) (\/.*)$/m.exec(stdout);
  if (found === null) throw new Error(`${program} is needed and cannot be had: ${stdout}${stderr}`);
  return found[1]!;
}
