/** The key that a command shows to its hub: from a file or a variable, and never from the command line, which others can see. */
import { statSync } from "node:fs";
import { keyIn, readKeyFile } from "../access/keys/key-file.ts";
import { CliError, Exit, usage } from "./failure.ts";

/** The key in LINTEL_KEY; undefined when there is none. */
export function keyOfEnvironment(): string | undefined {
  const text = process.env["LINTEL_KEY"]?.trim();
  if (text === undefined || text === "") return undefined;
  const key = keyIn(text);
  if (key === undefined) throw usage("LINTEL_KEY must be 1 to 8,192 printable characters without spaces");
  return key;
}

/** The key in a file. `source` is the flag or the variable that names it. */
export function keyOfFile(source: string, file: string): string {
  try {
    return readKeyFile(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(Exit.usage, "USAGE", `${source}: ${why}`, { cause });
  }
}

/** True when others than the owner may read a file. */
export function isReadByOthers(file: string): boolean {
  return process.platform !== "win32" && (statSync(file).mode & 0o044) !== 0;
}

/** The environment of a program that is started: what is ours to show is not its to read. */
export function withoutKeys(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { LINTEL_KEY: _, LINTEL_KEY_FILE: __, ...rest } = environment;
  return rest;
}
