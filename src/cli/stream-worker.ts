/**
 * A worker that starts a program between two streams for every request: what comes with the request is its stdin, as it
 * comes, and what it writes is the answer, as it is written. Each side goes as fast as the other takes it.
 */
import type { Writable } from "node:stream";
import { LintelError } from "../message/failure.ts";
import { ValueStream } from "../peer/stream/value-stream.ts";
import type { Context } from "../peer/context.ts";
import type { PipeSource } from "../supervisor/pipes.ts";
import type { Program, RunningProgram } from "./child.ts";
import { chunkOf } from "./json-line.ts";
import { RequestPrograms, outcomeOf } from "./request-programs.ts";
import { Semaphore } from "../runtime/semaphore.ts";

export interface StreamWorkerOptions {
  readonly program: Program;
  readonly pipes: PipeSource;
  /** Processes at a time. */
  readonly concurrency: number;
  /** Time between SIGTERM and SIGKILL. Milliseconds. */
  readonly graceMs: number;
  /** Content type of the answers. Default: that of bytes. */
  readonly type?: string | undefined;
}

type Answer = ReadableStream<Uint8Array> | undefined;

export class StreamWorker {
  readonly #options: StreamWorkerOptions;
  readonly #slots: Semaphore;
  readonly #programs: RequestPrograms;

  constructor(options: StreamWorkerOptions) {
    this.#options = options;
    this.#slots = new Semaphore(options.concurrency);
    this.#programs = new RequestPrograms(options.program, options.pipes);
  }

  /** A handler for `serve`. It has answered when the program has begun to; the place is taken until the program has ended. */
  readonly handle = (value: unknown, context: Context): Promise<Answer> =>
    new Promise((resolve, reject) => {
      this.#slots.run(context.signal, () => this.#execute(value, context, resolve)).catch(reject);
    });

  /** Resolves when every program has ended. */
  end(): Promise<void> {
    return this.#programs.end();
  }

  /** Ends every program at once. */
  kill(): void {
    this.#programs.kill();
  }

  /** Calls `answer` with what there is of it, and goes on until the program has ended. */
  async #execute(value: unknown, context: Context, answer: (body: Answer) => void): Promise<void> {
    const { graceMs, type } = this.#options;
    if (context.streams.length > 0 && !(value instanceof ReadableStream))
      throw LintelError.of("BAD_PAYLOAD", "this worker takes one stream, or a value without any");
    const run = new Run(await this.#programs.start(context), graceMs);
    const stop = (): void => run.stop(context.signal.reason);
    context.signal.addEventListener("abort", stop, { once: true });
    if (context.signal.aborted) stop(); // while it was being started
    try {
      run.feed(value, context).catch((error: unknown) => run.stop(error)); // half of its input must not pass for all
      const body = await run.begun();
      if (body !== undefined && type !== undefined) context.reply.headers["content-type"] = type;
      answer(body);
      await run.ended;
    } finally {
      context.signal.removeEventListener("abort", stop);
    }
  }
}

/** One program at work. */
class Run {
  /** Resolves when it has ended and nothing of its output is left: with its failure, if it did not end well. */
  readonly ended: Promise<Error | undefined>;
  readonly #program: RunningProgram;
  readonly #graceMs: number;
  readonly #output: AsyncIterator<Uint8Array>;
  #state: "running" | "stopped" | "ended" = "running";
  /** Why it was stopped. */
  #why: Error | undefined;

  constructor(program: RunningProgram, graceMs: number) {
    this.#program = program;
    this.#graceMs = graceMs;
    this.#output = program.stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    this.ended = outcomeOf(program).then((failed) => {
      if (this.#state === "running") this.#state = "ended";
      return failed;
    });
  }

  /** Ends the program, whose answer fails. Its output is no longer read. */
  stop(why: unknown): void {
    if (this.#state !== "running") return;
    this.#state = "stopped";
    this.#why = why instanceof Error ? why : LintelError.of("CALLER_GONE");
    this.#program.end(this.#graceMs);
    this.#program.stdout.destroy();
  }

  /** Writes the request to the program. Rejects when it breaks off, not when the program reads no more of it. */
  async feed(value: unknown, context: Context): Promise<void> {
    const { stdin } = this.#program;
    if (!(value instanceof ReadableStream)) {
      stdin.end(context.body);
      return;
    }
    if (value instanceof ValueStream) value.keepsJson = true;
    const reader = (value as ReadableStream<unknown>).getReader();
    stdin.once("close", () => void reader.cancel().catch(() => undefined)); // it has failed already, then
    while (!stdin.destroyed) {
      const { done, value: chunk } = await reader.read();
      if (done) break;
      if (!stdin.write(chunkOf(chunk))) await writable(stdin);
    }
    stdin.end();
  }

  /** Resolves with the answer when there is some of it, with undefined when there is none. Rejects with the program's failure. */
  async begun(): Promise<Answer> {
    let first = await this.#next();
    if (first === undefined) {
      const failed = await this.#failure();
      if (failed !== undefined) throw failed;
      return undefined;
    }
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      const chunk = first ?? (await this.#next());
      first = undefined;
      if (chunk !== undefined) return controller.enqueue(chunk);
      const failed = await this.#failure();
      return failed === undefined ? controller.close() : controller.error(failed);
    };
    return new ReadableStream({ pull, cancel: (why) => this.stop(why) }, { highWaterMark: 0 });
  }

  /** What it has written next; undefined at the end. */
  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#output.next();
      return done === true ? undefined : value;
    } catch {
      return undefined; // it was stopped, which is known better than the pipe tells it
    }
  }

  async #failure(): Promise<Error | undefined> {
    const failed = this.#state === "stopped" ? undefined : await this.ended;
    return this.#state === "stopped" ? this.#why : failed;
  }
}

/** Resolves when more may be written, or nothing any more. */
function writable(stream: Writable): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
  });
}
