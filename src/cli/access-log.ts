/** The access log: a line of JSON for each decision that was refused, and for each change of who may do what. */
import { createWriteStream } from "node:fs";
import type { Observer } from "../observe/observer.ts";
import { CliError, Exit } from "./failure.ts";
import { note } from "./note.ts";

/** More lines than this in a second are counted and not written: a caller that is refused may try as fast as it can. */
const MOST_IN_SECOND = 200;
const LONGEST_SUBJECT = 256;

/** What `--access-log` names: a file, to which lines are added, or `-` for stderr. Rejects for a file that cannot be written. */
export async function openAccessLog(target: string): Promise<Observer> {
  if (target === "-") return accessLog((line) => void process.stderr.write(line), Date.now);
  const file = createWriteStream(target, { flags: "a", mode: 0o600 });
  await new Promise<void>((resolve, reject) => {
    file.once("open", () => resolve());
    file.once("error", (cause) => {
      reject(
        new CliError(Exit.usage, "USAGE", `--access-log: cannot write ${target}: ${cause.message}`, {
          cause,
        }),
      );
    });
  });
  let isReported = false;
  file.on("error", (error) => {
    if (!isReported) note(`the access log cannot be written: ${error.message}`);
    isReported = true;
  });
  return accessLog((line) => void file.write(line), Date.now);
}

/** `timeOfDay` gives milliseconds since 1970. */
export function accessLog(write: (line: string) => void, timeOfDay: () => number): Observer {
  let second = 0;
  let written = 0;
  let suppressed = 0;
  const line = (fields: Readonly<Record<string, unknown>>): void => {
    const now = timeOfDay();
    const time = new Date(now).toISOString();
    if (Math.floor(now / 1_000) !== second) {
      if (suppressed > 0) write(`${JSON.stringify({ time, event: "suppressed", lines: suppressed })}\n`);
      second = Math.floor(now / 1_000);
      written = 0;
      suppressed = 0;
    }
    if (written++ < MOST_IN_SECOND) write(`${JSON.stringify({ time, ...fields })}\n`);
    else suppressed++;
  };
  return {
    refused: ({ gateway, remote, principal, verb, subject, code, reason }) =>
      line({
        event: "refused",
        principal: principal?.id,
        tenant: principal?.tenant,
        role: principal?.role,
        verb,
        subject: subject?.slice(0, LONGEST_SUBJECT),
        gateway,
        address: remote,
        code,
        reason,
      }),
    administered: ({ action, name }) => line({ event: "admin", action, name }),
  };
}
