/** Exit codes, and errors as the terminal shows them. */
import { LintelError } from "../message/failure.ts";
import { paint } from "./paint.ts";

/** What the shell sees. The numbers are part of the command line's contract: docs/guides/cli.md. */
export const Exit = {
  ok: 0,
  /** The request failed, or the command could not do its work. */
  failed: 1,
  /** Unknown flags, malformed arguments, a config file with mistakes. */
  usage: 2,
  /** No hub could be reached, or an address could not be listened on. */
  connection: 3,
  /** The deadline passed; the number that timeout(1) uses. */
  deadline: 124,
} as const;

/** A failure of the command itself, with its exit code and what to do about it. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exit: number;
  readonly reason: string;
  readonly hint: string | undefined;

  constructor(
    exit: number,
    reason: string,
    message: string,
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.exit = exit;
    this.reason = reason;
    this.hint = options.hint;
  }
}

/** Wrong usage that the parser of flags cannot see. */
export function usage(message: string, hint?: string): CliError {
  return new CliError(Exit.usage, "USAGE", message, hint === undefined ? {} : { hint });
}

/** Thrown when a signal ended the command: nothing is printed. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exit: number;

  constructor(exit: number) {
    super("interrupted");
    this.exit = exit;
  }
}

const HINTS: Readonly<Record<string, string>> = {
  NO_RESPONDERS: "start a worker for it, for example: lintel work SUBJECT -- COMMAND",
  DEADLINE: "use --timeout to allow more time",
  WORKER_LOST: "it may have been executed: retry only if it is safe to execute it twice",
  CONNECTION_LOST: "it may have been executed: retry only if it is safe to execute it twice",
  QUEUE_FULL: "try again later, or start more workers",
  TOO_LARGE: "the limit is `limits.payload` of the hub's config",
  DRAINING: "the hub is shutting down",
};

/** Prints `lintel: REASON: message` and a hint on stderr, and returns the exit code. */
export function printFailure(error: unknown): number {
  if (error instanceof Interrupted) return error.exit;
  if (error instanceof CliError) return print(error.exit, error.reason, error.message, error.hint);
  if (error instanceof LintelError) {
    const exit = error.code === "deadline_exceeded" ? Exit.deadline : Exit.failed;
    return print(exit, error.reason, error.message, HINTS[error.reason]);
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return print(Exit.failed, "INTERNAL", text, "this is a defect of lintel; please report it");
}

function print(exit: number, reason: string, message: string, hint: string | undefined): number {
  const name = paint(process.stderr, "red", reason);
  process.stderr.write(`lintel: ${name}: ${message}\n`);
  if (hint !== undefined) process.stderr.write(paint(process.stderr, "dim", `  ${hint}`) + "\n");
  return exit;
}
