/** A worker that starts a program for every request: the body on stdin, the answer on stdout. */
import { LintelError } from "../message/failure.ts";
import type { Context } from "../peer/context.ts";
import { toOutgoing } from "./body.ts";
import type { PipeSource } from "../supervisor/pipes.ts";
import type { Program, RunningProgram } from "./child.ts";
import { note } from "./note.ts";
import { RequestPrograms, outcomeOf } from "./request-programs.ts";
import { Semaphore } from "../runtime/semaphore.ts";

export interface ProcessWorkerOptions {
  readonly program: Program;
  readonly pipes: PipeSource;
  /** Processes at a time. */
  readonly concurrency: number;
  /** Time between SIGTERM and SIGKILL. Milliseconds. */
  readonly graceMs: number;
  /** Largest answer. Bytes. */
  readonly maxOutput: number;
  /** Content type of the answers. Default: JSON where they are, else bytes. */
  readonly type?: string | undefined;
}

export class ProcessWorker {
  readonly #options: ProcessWorkerOptions;
  readonly #slots: Semaphore;
  readonly #programs: RequestPrograms;

  constructor(options: ProcessWorkerOptions) {
    this.#options = options;
    this.#slots = new Semaphore(options.concurrency);
    this.#programs = new RequestPrograms(options.program, options.pipes);
  }

  /** A handler for `serve`. */
  readonly handle = (_value: unknown, context: Context): Promise<string | Uint8Array | undefined> =>
    this.#slots.run(context.signal, () => this.#execute(context));

  /** Resolves when every program has ended; those of canceled requests may still be about to. */
  end(): Promise<void> {
    return this.#programs.end();
  }

  /** Ends every program at once. */
  kill(): void {
    this.#programs.kill();
  }

  async #execute(context: Context): Promise<string | Uint8Array | undefined> {
    const { graceMs, maxOutput, type } = this.#options;
    const program = await this.#programs.start(context);
    const stop = (): void => program.end(graceMs);
    context.signal.addEventListener("abort", stop, { once: true });
    if (context.signal.aborted) stop(); // while it was being started
    try {
      program.stdin.end(context.body);
      const output = await collect(program, maxOutput, graceMs);
      if (output.length === 0) return undefined;
      const { headers } = toOutgoing(output, type === undefined ? {} : { "content-type": type });
      Object.assign(context.reply.headers, headers);
      return output;
    } catch (error) {
      if (error instanceof LintelError && error.reason === "BAD_ANSWER")
        note(`the answer to ${context.subject} is not sent: ${error.message}`);
      throw error;
    } finally {
      context.signal.removeEventListener("abort", stop);
    }
  }
}

/** What the program writes until it ends well; rejects with `COMMAND_FAILED` or `BAD_ANSWER` when it does not. */
async function collect(program: RunningProgram, maxOutput: number, graceMs: number): Promise<Uint8Array> {
  const output: Uint8Array[] = [];
  let size = 0;
  program.stdout.on("data", (chunk: Uint8Array) => {
    const before = size;
    size += chunk.length;
    if (size <= maxOutput) output.push(chunk);
    else if (before <= maxOutput) program.end(graceMs);
  });
  const failed = await outcomeOf(program);
  if (size > maxOutput) throw LintelError.of("BAD_ANSWER", `the command wrote more than ${maxOutput} bytes`);
  if (failed !== undefined) throw failed;
  return Buffer.concat(output);
}
