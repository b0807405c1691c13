/** Where the access log of a hub is written. */
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { LintelError } from "../message/failure.ts";
import { AccessLog } from "../observe/access-log.ts";
import { systemClock } from "../runtime/clock.ts";

/** What may wait for a slow disk or reader before lines are dropped. Bytes. */
const MAX_WAITING = 1_048_576;

/** An access log, and what ends it. */
export interface OpenAccessLog {
  readonly log: AccessLog;
  close(): Promise<void>;
}

/**
 * Opens the file that is named, to which lines are added; `-` is the standard error output. Rejects with
 * `invalid_argument` when it cannot be written. Errors later on reach `onError`, the first one.
 */
export async function openAccessLog(
  name: string,
  onError: (error: unknown, where: string) => void,
): Promise<OpenAccessLog> {
  const isOutput = name === "-";
  const output: Writable = isOutput ? process.stderr : createWriteStream(name, { flags: "a", mode: 0o600 });
  if (!isOutput) {
    try {
      await once(output, "open");
    } catch (cause) {
      throw new LintelError("invalid_argument", `accessLog: cannot write ${name}: ${String(cause)}`, {
        cause,
      });
    }
    output.on("error", (error) => onError(error, `writing ${name}`)); // a stream has no more than one
  }
  let missing = 0;
  const write = (line: string): void => {
    if (output.destroyed) return;
    if (output.writableLength > MAX_WAITING) {
      missing++;
      return;
    }
    if (missing > 0) output.write(`${JSON.stringify({ event: "dropped", lines: missing })}\n`);
    missing = 0;
    output.write(line);
  };
  const log = new AccessLog({ clock: systemClock, timeOfDay: Date.now, write });
  const close = async (): Promise<void> => {
    log.close();
    if (isOutput || output.destroyed) return;
    const closed = new Promise<void>((resolve) => void output.once("close", resolve)); // "finish" comes before the file is closed
    output.end();
    await closed;
  };
  return { log, close };
}
