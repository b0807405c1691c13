/** Programs that are started for one request each: what they are told of it, how they end, and all of them at once. */
import { LintelError } from "../message/failure.ts";
import type { Context } from "../peer/context.ts";
import type { PipeSource } from "../supervisor/pipes.ts";
import { describeEnd, startProgram, type Program, type RunningProgram } from "./child.ts";

/** The end of stderr that is kept to find its last line. */
const TAIL = 4_096;

export class RequestPrograms {
  readonly #program: Program;
  readonly #pipes: PipeSource;
  readonly #running = new Set<RunningProgram>();

  constructor(program: Program, pipes: PipeSource) {
    this.#program = program;
    this.#pipes = pipes;
  }

  /** Rejects with `COMMAND_FAILED` when it cannot be started. */
  async start(context: Context): Promise<RunningProgram> {
    try {
      const program = await startProgram(this.#program, this.#pipes, environmentOf(context));
      this.#running.add(program);
      void program.finished.then(() => this.#running.delete(program));
      return program;
    } catch (cause) {
      throw commandFailed(cause instanceof Error ? cause.message : String(cause), {}, cause);
    }
  }

  /** Resolves when every program has ended. */
  async end(): Promise<void> {
    await Promise.all([...this.#running].map(({ finished }) => finished));
  }

  /** Ends every program at once. */
  kill(): void {
    for (const program of this.#running) program.signal("SIGKILL");
  }
}

/**
 * Resolves when the program has ended and its output is read: undefined when it ended well, else `COMMAND_FAILED` with the
 * last line of its stderr, which goes to ours meanwhile.
 */
export async function outcomeOf(program: RunningProgram): Promise<LintelError | undefined> {
  let complaint = Buffer.alloc(0);
  program.stderr.on("data", (chunk: Buffer) => {
    process.stderr.write(chunk);
    complaint = Buffer.concat([complaint, chunk]).subarray(-TAIL); // decoded whole: a read may cut a character
  });
  const { code, signal } = await program.finished;
  if (code === 0) return undefined;
  const message = lastLine(complaint.toString("utf8")) ?? `the command ${describeEnd({ code, signal })}`;
  return commandFailed(message, { code, signal });
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
