import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./root.ts";

/** Makes sure that programs a test needs are there: finds them, or installs them by the system's package manager. */
export function provide(...programs: string[]): void {
  const script = join(root, "scripts/provide.js");
  const { status } = spawnSync(process.execPath, [script, ...programs], { stdio: "inherit" });
  if (status !== 0) throw new Error(`${programs.join(", ")} cannot be provided; the lines above say why`);
}
