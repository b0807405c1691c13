/** How commands fail, in code and on the line. */
import { LintelError, toFailure } from "../message/failure.ts";
import { isCode, isReason, type Code } from "../message/status.ts";
import { ERROR, EXCEPTION, type ReplyAction } from "./command.ts";

export interface CommandErrorOptions {
  /** Default `failed_precondition`. */
  readonly code?: Code;
  /** Default `COMMAND_ERROR`. */
  readonly reason?: string;
  readonly retryable?: boolean;
  /** Any JSON value, sent as `details`. */
  readonly details?: unknown;
  readonly cause?: unknown;
}

/**
 * A failure that a command's caller has to expect. A handler that throws one is answered with `drs.error` and its message; `call`
 * rejects with one for each `drs.error` that it gets.
 */
export class CommandError extends LintelError {
  constructor(message: string, options: CommandErrorOptions = {}) {
    super(options.code ?? "failed_precondition", message, { reason: "COMMAND_ERROR", ...options });
  }
}

/** A crash: what `call` rejects with for each `drs.exception` that it gets. A handler may throw one, too. */
export class CommandException extends LintelError {
  constructor(message: string, options: CommandErrorOptions = {}) {
    super(options.code ?? "internal", message, { reason: "COMMAND_EXCEPTION", ...options });
  }
}

/** Codes that say that the fault is the caller's, or that it must expect this outcome. */
const EXPECTED: ReadonlySet<Code> = new Set([
  "invalid_argument",
  "not_found",
  "already_exists",
  "permission_denied",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unauthenticated",
]);

/** What is sent of an error. */
export interface FailedReply {
  readonly action: ReplyAction;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * The reply for what a handler has thrown. Of a `LintelError` the caller gets what it says; of anything else only that the handler
 * failed, since its text may hold a secret.
 */
export function failedReply(error: unknown): FailedReply {
  const { code, reason, message, retryable } = toFailure(error);
  const isError =
    error instanceof CommandError || (EXPECTED.has(code) && !(error instanceof CommandException));
  const action = isError ? ERROR : EXCEPTION;
  if (!(error instanceof LintelError)) return { action, body: { message } };
  const details = error.details === undefined ? {} : { details: error.details };
  if (OF_THE_LINE.has(reason)) return { action, body: { message, ...details } };
  return { action, body: { message, code, reason, retryable, ...details } };
}

/** Reasons that the reply's action and message say already. */
const OF_THE_LINE: ReadonlySet<string> = new Set(["COMMAND_ERROR", "COMMAND_EXCEPTION", "NO_HANDLERS"]);

/** The error that a reply stands for. Its body may be anything: other peers made it. */
export function errorOfReply(action: ReplyAction, body: unknown): LintelError {
  if (action === ERROR && isNoHandlers(body)) return new CommandError(body.message, NO_HANDLERS);
  const fields = typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  const { message, code, reason, retryable, details } = fields;
  const text = typeof message === "string" ? message : textOf(body, action);
  const options = {
    ...(typeof code === "string" && isCode(code) ? { code } : {}),
    ...(typeof reason === "string" && isReason(reason) ? { reason } : {}),
    retryable: retryable === true,
    details: details ?? (typeof message === "string" || typeof body === "string" ? undefined : body),
  };
  return action === ERROR ? new CommandError(text, options) : new CommandException(text, options);
}

function textOf(body: unknown, action: ReplyAction): string {
  if (typeof body === "string" && body !== "") return body;
  return action === ERROR ? "the command failed" : "the handler of the command crashed";
}

const NO_HANDLERS_TEXT = "No handlers for ";
const NO_HANDLERS = Object.freeze({ code: "unimplemented", reason: "NO_HANDLERS", retryable: true } as const);

/** The error for an action that no handler takes. Nothing was executed. */
export function noHandlers(action: string): CommandError {
  return new CommandError(NO_HANDLERS_TEXT + action, NO_HANDLERS);
}

/** Peers have nothing but the text to say it. */
function isNoHandlers(body: unknown): body is { readonly message: string } {
  if (typeof body !== "object" || body === null || !("message" in body)) return false;
  return typeof body.message === "string" && body.message.startsWith(NO_HANDLERS_TEXT);
}
