/** Config files, as the commands find and read them. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { FileConfig, Overrides } from "../config/config.ts";
import type { Problem } from "../config/document.ts";
import { LintelError } from "../message/failure.ts";
import { CliError, Exit, usage } from "./failure.ts";

/** Files that `lintel up` takes by themselves; both have the same form. */
export const MANIFESTS = ["lintel.yaml", "Astrofile"] as const;

/** The first of these files that is in the current directory. */
export function findConfigFile(...names: readonly string[]): string | undefined {
  return names.find((name) => existsSync(name));
}

/** Reads a config file, if there is one, and what goes before it; what is wrong with them is wrong usage. */
export async function readConfigFile(
  path: string | undefined,
  overrides: Overrides = {},
): Promise<FileConfig> {
  const { readConfig } = await import("../config/config.ts");
  try {
    return await readConfig(path, overrides);
  } catch (cause) {
    if (!(cause instanceof LintelError)) throw cause;
    const problems = (cause.details ?? []) as readonly Problem[]; // as `readConfig` says
    for (const problem of problems) refuseFlag(problem, overrides);
    const text = cause.message.includes("\n") ? `\n${cause.message}` : cause.message;
    throw new CliError(Exit.usage, cause.reason, text, { cause });
  }
}

/** In the words of the parser of flags. */
function refuseFlag({ source, form, message }: Problem, { flags = [] }: Overrides): void {
  const given = flags.find(({ flag }) => flag.flag.startsWith(`${source} `));
  if (given === undefined) return;
  const { flag, values } = given;
  if (form === undefined) throw usage(`${source}: ${message}`);
  const wanted = `${flag.takesOff === true ? "off or " : ""}${form}`;
  throw usage(`option '${flag.flag}' argument '${values.join(" ")}' is invalid. It must be ${wanted}.`);
}

/** The directory that a `lintel up` is known by: that of its manifest. */
export function projectOf(config: string | undefined): string {
  return config === undefined ? process.cwd() : dirname(resolve(config));
}
