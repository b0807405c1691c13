/** Config files, as the commands find and read them. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { FileConfig } from "../config/config.ts";
import { LintelError } from "../message/failure.ts";
import { CliError, Exit } from "./failure.ts";

/** Files that `lintel up` takes by themselves; both have the same form. */
export const MANIFESTS = ["lintel.yaml", "Astrofile"] as const;

/** The first of these files that is in the current directory. */
export function findConfigFile(...names: readonly string[]): string | undefined {
  return names.find((name) => existsSync(name));
}

/** Reads a config file; what is wrong with it is wrong usage. */
export async function readConfigFile(path: string): Promise<FileConfig> {
  const { readConfig } = await import("../config/config.ts");
  try {
    return await readConfig(path);
  } catch (cause) {
    if (!(cause instanceof LintelError)) throw cause;
    const problems = cause.message.includes("\n") ? `\n${cause.message}` : cause.message;
    throw new CliError(Exit.usage, cause.reason, problems, { cause });
  }
}

/** The directory that a `lintel up` is known by: that of its manifest. */
export function projectOf(config: string | undefined): string {
  return config === undefined ? process.cwd() : dirname(resolve(config));
}
