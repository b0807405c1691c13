import { spawn } from "node:child_process";
import type { CommandLine } from "../line.ts";
import { childLine } from "../stream-line.ts";
import type { CommandTarget } from "./target.ts";

/** A program that speaks commands over its standard input and output. It is started again when it ends. */
export interface CommandProgram {
  readonly program: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Its environment. Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Its standard error is that of this process. */
export function programTarget({ program, args = [], cwd, env }: CommandProgram): CommandTarget {
  const dial = (signal: AbortSignal): Promise<CommandLine> =>
    new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        stdio: ["pipe", "pipe", "inherit"],
        ...(cwd === undefined ? {} : { cwd }),
        ...(env === undefined ? {} : { env }),
      });
      const settle = (): void => signal.removeEventListener("abort", onAbort);
      const onAbort = (): void => {
        child.kill("SIGKILL");
        reject(signal.reason as Error);
      };
      child.once("error", (error) => {
        settle();
        reject(error);
      });
      child.once("spawn", () => {
        settle();
        resolve(childLine(child, program));
      });
      signal.addEventListener("abort", onAbort, { once: true });
    });
  return { name: program, hasQuery: false, dial };
}
