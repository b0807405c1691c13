/** A worker that starts a program for every request: the body on stdin, the answer on stdout. */
import { LintelError } from "../message/failure.ts";
import type { Context } from "../peer/context.ts";
import { toOutgoing } from "./body.ts";
import {
  describeEnd,
  endProgram,
  signalProgram,
  startProgram,
  type PipedChild,
  type Program,
} from "./child.ts";
import { Slots } from "./slots.ts";

export interface ProcessWorkerOptions {
  readonly program: Program;
  /** Processes at a time. */
  readonly concurrency: number;
  /** Time between SIGTERM and SIGKILL. Milliseconds. */
  readonly graceMs: number;
  /** Largest answer. Bytes. */
  readonly maxOutput: number;
  /** Content type of the answers. Default: JSON where they are, else bytes. */
  readonly type?: string | undefined;
}

/** The end of stderr that is kept to find its last line. */
const TAIL = 4_096;

export class ProcessWorker {
  readonly #options: ProcessWorkerOptions;
  readonly #slots: Slots;
  readonly #running = new Set<PipedChild>();

  constructor(options: ProcessWorkerOptions) {
    this.#options = options;
    this.#slots = new Slots(options.concurrency);
  }

  /** A handler for `serve`. */
  readonly handle = (_value: unknown, context: Context): Promise<string | Uint8Array | undefined> =>
    this.#slots.run(context.signal, () => this.#execute(context));

  /** Resolves when every program has ended; those of canceled requests may still be about to. */
  async end(): Promise<void> {
    await Promise.all(
      [...this.#running].map((child) => new Promise((resolve) => child.once("close", resolve))),
    );
  }

  /** Ends every program at once. */
  kill(): void {
    for (const child of this.#running) signalProgram(child, "SIGKILL");
  }

  async #execute(context: Context): Promise<string | Uint8Array | undefined> {
    const { program, graceMs, maxOutput, type } = this.#options;
    const child = this.#start(program, context);
    const stop = (): void => endProgram(child, graceMs);
    context.signal.addEventListener("abort", stop, { once: true });
    try {
      child.stdin.end(context.body);
      const output = await collect(child, maxOutput, graceMs);
      if (output.length === 0) return undefined;
      const { headers } = toOutgoing(output, type === undefined ? {} : { "content-type": type });
      Object.assign(context.reply.headers, headers);
      return output;
    } finally {
      context.signal.removeEventListener("abort", stop);
    }
  }

  #start(program: Program, context: Context): PipedChild {
    try {
      const child = startProgram(program, environmentOf(context));
      this.#running.add(child);
      child.once("close", () => this.#running.delete(child));
      return child;
    } catch (cause) {
      throw commandFailed(cause instanceof Error ? cause.message : String(cause), {}, cause);
    }
  }
}

/** What a program is told of its request besides the body. */
export function environmentOf({ subject, deadline, http }: Context): NodeJS.ProcessEnv {
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

/** What the program writes until it ends well; rejects with `COMMAND_FAILED` or `TOO_LARGE` when it does not. */
function collect(child: PipedChild, maxOutput: number, graceMs: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const output: Uint8Array[] = [];
    let size = 0;
    let complaint = "";
    child.stdout.on("data", (chunk: Uint8Array) => {
      const before = size;
      size += chunk.length;
      if (size <= maxOutput) output.push(chunk);
      else if (before <= maxOutput) endProgram(child, graceMs);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      process.stderr.write(chunk);
      complaint = (complaint + chunk.toString("utf8")).slice(-TAIL);
    });
    child.once("error", (cause) => reject(commandFailed(cause.message, {}, cause)));
    child.once("close", (code, signal) => {
      if (size > maxOutput)
        reject(LintelError.of("TOO_LARGE", `the command wrote more than ${maxOutput} bytes`));
      else if (code === 0) resolve(Buffer.concat(output));
      else
        reject(
          commandFailed(lastLine(complaint) ?? `the command ${describeEnd(code, signal)}`, { code, signal }),
        );
    });
  });
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
