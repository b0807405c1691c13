/** Programs that are started for one request each: what they are told of it, how they end, and all of them at once. */
import { LintelError } from "../message/failure.ts";
import type { Context } from "../peer/context.ts";
import { describeEnd, signalProgram, startProgram, type PipedChild, type Program } from "./child.ts";

/** The end of stderr that is kept to find its last line. */
const TAIL = 4_096;

export class RequestPrograms {
  readonly #program: Program;
  readonly #running = new Set<PipedChild>();

  constructor(program: Program) {
    this.#program = program;
  }

  /** Throws `COMMAND_FAILED` when it cannot be started. */
  start(context: Context): PipedChild {
    try {
      const child = startProgram(this.#program, environmentOf(context));
      this.#running.add(child);
      child.once("close", () => this.#running.delete(child));
      return child;
    } catch (cause) {
      throw commandFailed(cause instanceof Error ? cause.message : String(cause), {}, cause);
    }
  }

  /** Resolves when every program has ended. */
  async end(): Promise<void> {
    await Promise.all(
      [...this.#running].map((child) => new Promise((resolve) => child.once("close", resolve))),
    );
  }

  /** Ends every program at once. */
  kill(): void {
    for (const child of this.#running) signalProgram(child, "SIGKILL");
  }
}

/**
 * Resolves when the program has ended and its output is read: undefined when it ended well, else `COMMAND_FAILED` with the
 * last line of its stderr, which goes to ours meanwhile.
 */
export function outcomeOf(child: PipedChild): Promise<LintelError | undefined> {
  return new Promise((resolve) => {
    let complaint = "";
    child.stderr.on("data", (chunk: Buffer) => {
      process.stderr.write(chunk);
      complaint = (complaint + chunk.toString("utf8")).slice(-TAIL);
    });
    child.once("error", (cause) => resolve(commandFailed(cause.message, {}, cause)));
    child.once("close", (code, signal) => {
      const message = lastLine(complaint) ?? `the command ${describeEnd(code, signal)}`;
      resolve(code === 0 ? undefined : commandFailed(message, { code, signal }));
    });
  });
}

/** What a program is told of its request besides the body. */
function environmentOf({ subject, deadline, http }: Context): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    LINTEL_SUBJECT: subject,
    LINTEL_DEADLINE_MS: String(Math.floor(deadline)),
  };
  if (http === undefined) return environment;
  environment["LINTEL_METHOD"] = http.method;
  environment["LINTEL_PATH"] = http.path;
  environment["LINTEL_QUERY"] = http.query.toString();
  for (const [name, value] of Object.entries(http.params))
    environment[`LINTEL_PARAM_${name.toUpperCase()}`] = value;
  return environment;
}

function commandFailed(
  message: string,
  details: Readonly<Record<string, unknown>>,
  cause?: unknown,
): LintelError {
  return new LintelError("internal", message, { reason: "COMMAND_FAILED", details, cause });
}

function lastLine(text: string): string | undefined {
  return text.trimEnd().split("\n").at(-1)?.trim() || undefined;
}
