/** Certificates and keys in files that flags and environment variables name. */
import { readFileSync } from "node:fs";
import { checkPem, type PemName } from "../transport/tls-options.ts";
import { CliError, Exit, usage } from "./failure.ts";

/** The text of a file. What cannot be read, or is no PEM, is wrong usage of `source`: a flag or a variable. */
export function readPem(source: string, name: PemName, file: string): string {
  const text = read(source, file);
  try {
    return checkPem(file, name, text);
  } catch (error) {
    if (error instanceof TypeError) throw usage(`${source}: ${error.message}`);
    throw error;
  }
}

function read(source: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(Exit.usage, "USAGE", `${source}: cannot read ${file}: ${why}`, { cause });
  }
}
