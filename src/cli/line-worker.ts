/**
 * A worker that keeps one program: each request is a line of JSON on its stdin, each answer a line of JSON on its
 * stdout, in the order of the requests.
 */
import { isUtf8 } from "node:buffer";
import { membersOf } from "../codec/json-slices.ts";
import { json } from "../codec/json.ts";
import { wellFormed } from "../codec/strict-text.ts";
import { LintelError } from "../message/failure.ts";
import { encodeUtf8 } from "../message/text.ts";
import { isCode } from "../message/status.ts";
import type { Context } from "../peer/context.ts";
import { NO_JITTER, backoffMs, type BackoffLimits } from "../runtime/backoff.ts";
import type { PipeSource } from "../supervisor/pipes.ts";
import { describeEnd, startProgram, type Program, type RunningProgram } from "./child.ts";
import { note } from "./note.ts";
import { jsonOf } from "./json-line.ts";
import { LineSplitter } from "../supervisor/lines.ts";
import { printable } from "./paint.ts";
import { Semaphore } from "../runtime/semaphore.ts";

export interface LineWorkerOptions {
  readonly program: Program;
  readonly pipes: PipeSource;
  /** Requests written before the first of them is answered. */
  readonly concurrency: number;
  /** Time between SIGTERM and SIGKILL, and how long a canceled request may still be worked on. Milliseconds. */
  readonly graceMs: number;
  /** Longest answer. Bytes. */
  readonly maxOutput: number;
}

const BACKOFF: BackoffLimits = { firstMs: 100, lastMs: 10_000 };

/** A request whose line was written. */
interface Job {
  /** With text, or a line of JSON. */
  readonly resolve: (answer: string | Uint8Array) => void;
  readonly reject: (error: LintelError) => void;
}

export class LineWorker {
  readonly #options: LineWorkerOptions;
  readonly #slots: Semaphore;
  #child: RunningProgram | undefined;
  #asked: Job[] = [];
  /** Requests that wait for the program to be started again. */
  #waiting: (() => void)[] = [];
  /** Starts of the program since it last answered. */
  #failures = 0;
  #restart: ReturnType<typeof setTimeout> | undefined;
  /** Resolves when the program has been started, or could not be. */
  #starting: Promise<void>;
  #isEnding = false;

  constructor(options: LineWorkerOptions) {
    this.#options = options;
    this.#slots = new Semaphore(options.concurrency);
    this.#starting = this.#start();
  }

  /** A handler for `serve`. */
  readonly handle = (value: unknown, context: Context): Promise<unknown> => {
    const line = formatRequest(value, context);
    return this.#slots.run(context.signal, async () => {
      const answer = await this.#execute(line, await this.#running(), context.signal);
      if (typeof answer !== "string") context.reply.headers["content-type"] = json.contentType;
      return answer;
    });
  };

  /** Lets the program finish: its stdin ends, and it is ended when that is not enough. */
  async end(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#restart);
    await this.#starting;
    const child = this.#child;
    if (child === undefined) return;
    child.stdin.end();
    const timer = setTimeout(() => child.end(this.#options.graceMs), this.#options.graceMs);
    await child.finished;
    clearTimeout(timer);
  }

  /** Ends the program at once. */
  kill(): void {
    if (this.#child !== undefined) this.#child.signal("SIGKILL");
  }

  async #start(): Promise<void> {
    const { program, pipes, maxOutput } = this.#options;
    let child: RunningProgram;
    try {
      child = await startProgram(program, pipes);
    } catch (error) {
      this.#again(`cannot be started: ${(error as Error).message}`);
      return;
    }
    const splitter = new LineSplitter(maxOutput);
    this.#child = child;
    child.stderr.pipe(process.stderr, { end: false });
    child.stdout.on("data", (chunk: Uint8Array) => {
      try {
        for (const line of splitter.push(chunk)) this.#answered(child, line);
      } catch (error) {
        this.#distrust(child, (error as RangeError).message); // the only error of a splitter: an endless line
      }
    });
    void child.finished.then((end) => {
      const how = describeEnd(end);
      if (child === this.#child) this.#lose(`it ${how}`);
      this.#again(how);
    });
    for (const resume of this.#waiting.splice(0)) resume();
  }

  async #running(): Promise<RunningProgram> {
    while (this.#child === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#child;
  }

  #execute(line: string, child: RunningProgram, signal: AbortSignal): Promise<string | Uint8Array> {
    signal.throwIfAborted();
    let timer: ReturnType<typeof setTimeout> | undefined;
    // Its answer is still due, as the order of lines is all that tells answers apart.
    const canceled = (): void => {
      timer = setTimeout(
        () => this.#distrust(child, "it still works on a canceled request"),
        this.#options.graceMs,
      );
    };
    signal.addEventListener("abort", canceled, { once: true });
    const answer = new Promise<string | Uint8Array>((resolve, reject) =>
      this.#asked.push({ resolve, reject }),
    );
    child.stdin.write(`${line}\n`);
    return answer.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", canceled);
    });
  }

  #answered(child: RunningProgram, line: Uint8Array): void {
    if (child !== this.#child) return; // distrusted
    const job = this.#asked.shift();
    if (job === undefined) {
      this.#distrust(child, "it wrote a line that answers no request");
      return;
    }
    this.#failures = 0;
    const text = Buffer.from(line).toString("utf8");
    const answer = isUtf8(line) ? parseAnswer(text) : garbage(text);
    if (answer.kind !== "value") job.reject(answer.error);
    else job.resolve(typeof answer.value === "string" && isText(answer.value) ? answer.value : line); // as it is there
    if (answer.kind === "garbage") this.#distrust(child, "it wrote a line that is no JSON");
  }

  /** Which line answers which request is in doubt: the program is ended, and what it held fails. */
  #distrust(child: RunningProgram, why: string): void {
    if (child !== this.#child) return;
    note(`the command is ended: ${why}`);
    this.#lose(why);
    child.end(this.#options.graceMs);
  }

  #lose(why: string): void {
    this.#child = undefined;
    for (const job of this.#asked.splice(0))
      job.reject(LintelError.of("WORKER_LOST", `the command was lost: ${why}`));
  }

  #again(how: string): void {
    if (this.#isEnding) return;
    const waitMs = backoffMs(BACKOFF, ++this.#failures, NO_JITTER);
    note(`the command ${how}; it is started again in ${waitMs} ms`);
    this.#restart = setTimeout(() => {
      this.#starting = this.#start();
    }, waitMs);
  }
}

/**
 * A request as the line that the program reads: JSON as it came, if that is known. Text in bytes is text; other bytes are
 * refused.
 */
export function formatRequest(value: unknown, came?: Pick<Context, "headers" | "body">): string {
  if (!(value instanceof Uint8Array)) {
    const isSent = came !== undefined && value !== undefined;
    return isSent ? jsonOf(value, came.headers, came.body) : JSON.stringify(value ?? null);
  }
  try {
    return JSON.stringify(new TextDecoder("utf-8", { fatal: true }).decode(value));
  } catch (cause) {
    throw LintelError.of("BAD_PAYLOAD", "this worker takes JSON and text, not bytes", cause);
  }
}

/** What a line of the program says. */
export type Answer =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error" | "garbage"; readonly error: LintelError };

/**
 * Reads a line of the program. An error is spoken as an object whose only key is `error`, with a `code` of
 * docs/ERRORS.md and a `message`; `reason`, `retryable` and `details` if wanted.
 */
export function parseAnswer(line: string): Answer {
  const bytes = encodeUtf8(line);
  let value: unknown;
  try {
    value = json.decode(bytes, 0, bytes.length);
  } catch (cause) {
    return garbage(line, cause);
  }
  if (typeof value === "object" && value !== null && "error" in value && Object.keys(value).length === 1) {
    const { error } = value;
    if (typeof error === "object" && error !== null && "code" in error)
      return { kind: "error", error: toError(error, detailsIn(bytes)) };
  }
  return { kind: "value", value };
}

function garbage(line: string, cause?: unknown): Answer {
  const message = `the command answered with no JSON: ${printable(line.slice(0, 80))}`;
  return {
    kind: "garbage",
    error: new LintelError("internal", message, { reason: "COMMAND_FAILED", cause }),
  };
}

/** The details of an error as they are written. */
function detailsIn(line: Uint8Array): Uint8Array | undefined {
  const error = membersOf(line).get("error");
  const details = error && membersOf(line, error.start).get("details");
  return details && line.slice(details.start, details.end);
}

function toError(spoken: object, details: Uint8Array | undefined): LintelError {
  const { code, message, reason, retryable } = spoken as Readonly<Record<string, unknown>>;
  const known = isCode(code) ? code : "unknown";
  return LintelError.from({
    code: known,
    message: typeof message === "string" ? message : String(code),
    reason: typeof reason === "string" ? reason : known.toUpperCase(),
    retryable: retryable === true,
    details,
  });
}

/** False for half a surrogate pair, which JSON has as an escape, and text in UTF-8 has not. */
function isText(value: string): boolean {
  return value === wellFormed(value);
}
