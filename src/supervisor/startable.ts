/** Why a program cannot be started. The system says ENOENT for a missing directory, program and interpreter alike. */
import { constants } from "node:fs";
import { access, open, stat } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";

export interface Startable {
  readonly command: string;
  /** Where it would run. Default: our own. */
  readonly directory?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** The error with the reason in its text, where one can be found. */
export async function whyNotStarted(error: Error, options: Startable): Promise<Error> {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT" && code !== "EACCES" && code !== "ENOTDIR") return error;
  const found = await problemOf(options);
  return found === undefined ? error : new Error(found, { cause: error });
}

/** What is wrong with a program that is to be started; undefined when nothing can be seen. */
export async function problemOf({ command, directory, env }: Startable): Promise<string | undefined> {
  if (directory !== undefined) {
    const wrong = await directoryProblem(directory);
    if (wrong !== undefined) return wrong;
  }
  if (command.includes("/")) return await fileProblem(resolve(directory ?? "", command));
  let rejected: string | undefined;
  for (const folder of (env["PATH"] ?? "").split(delimiter)) {
    const path = join(resolve(directory ?? "", folder), command);
    if (!(await isFile(path))) continue;
    const wrong = await fileProblem(path);
    if (wrong === undefined) return undefined;
    rejected ??= wrong;
  }
  return rejected ?? `the program "${command}" was not found in PATH`;
}

async function directoryProblem(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return `its directory ${path} is not a directory`;
    await access(path, constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return `its directory ${path} does not exist`;
    if (code === "ENOTDIR") return `its directory ${path} is below a file`;
    if (code === "EACCES") return `its directory ${path} may not be entered`;
    return `its directory ${path} cannot be used: ${(error as Error).message}`;
  }
}

async function fileProblem(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return `the program ${path} is a directory`;
    if (!found.isFile()) return `the program ${path} is not a file`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isMissing = code === "ENOENT" || code === "ENOTDIR";
    return isMissing
      ? `the program ${path} does not exist`
      : `the program ${path} cannot be used: ${(error as Error).message}`;
  }
  try {
    await access(path, constants.X_OK);
  } catch {
    return `the program ${path} is not executable; run chmod +x on it`;
  }
  return await interpreterProblem(path);
}

/** Scripts name what runs them in their first line. */
async function interpreterProblem(path: string): Promise<string | undefined> {
  const interpreter = /^#![ \t]*([^\s]+)/.exec(await beginningOf(path))?.[1];
  if (interpreter === undefined || (await isFile(interpreter))) return undefined;
  return `the interpreter ${interpreter}, which the first line of ${path} names, does not exist`;
}

async function beginningOf(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined); // executable, yet not readable
  if (file === undefined) return "";
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
