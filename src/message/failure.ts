import { delayDetails, delayOf } from "./retry-delay.ts";
import { REASONS, isCode, isReason, reasonOr, type Code, type Reason } from "./status.ts";

/**
 * How a request ended when it was not answered. This is the form that travels through brokers and sessions:
 * plain data, no stack, details still encoded.
 */
export interface Failure {
  readonly code: Code;
  readonly reason: string;
  readonly message: string;
  readonly retryable: boolean;
  /** JSON text in UTF-8, opaque to everything below the peer. */
  readonly details?: Uint8Array | undefined;
}

/** The one failure of each reason that has the text of the table. */
const KNOWN: ReadonlyMap<string, Failure> = new Map(
  Object.entries(REASONS).map(([reason, { code, text, retryable }]) => [
    reason,
    Object.freeze({ code, reason, message: text, retryable }),
  ]),
);

/** A failure of Lintel's own table, with an optional text in place of the table's. Without one it is always the same object. */
export function failure(reason: Reason, message?: string): Failure {
  if (message === undefined) return KNOWN.get(reason)!;
  const { code, retryable } = REASONS[reason];
  return { code, reason, message, retryable };
}

/** A failure of the table that says when a retry may succeed. */
export function delayed(reason: Reason, delayMs: number, message?: string): Failure {
  return { ...failure(reason, message), details: delayDetails(delayMs) };
}

/** Milliseconds until a retry may succeed, where the failure says so. */
export function retryDelayOf({ details }: Failure): number | undefined {
  return details === undefined ? undefined : delayOf(parseDetails(details));
}

/** What others hear of an error that was caught: `otherwise` unless it is a LintelError, since its text may hold a secret. */
export function toFailure(error: unknown, otherwise: Failure = failure("HANDLER_FAILED")): Failure {
  return error instanceof LintelError ? error.toFailure() : otherwise;
}

export interface LintelErrorOptions {
  /** Machine-readable reason, `[A-Z0-9_]`, at most 64 characters. Default: the code in upper case. */
  readonly reason?: string;
  /** True when the caller may send the request again without risk. Default false. */
  readonly retryable?: boolean;
  /** Any JSON value; reaches the caller as `error.details`. */
  readonly details?: unknown;
  readonly cause?: unknown;
}

/**
 * The one error type of the public API. Thrown by a handler it keeps code, reason, message, `retryable` and details on
 * its way to the caller; recognise it by `error.code` and `error.reason`, never by its text.
 */
export class LintelError extends Error {
  override readonly name = "LintelError";
  readonly code: Code;
  readonly reason: string;
  readonly retryable: boolean;
  readonly details: unknown;
  /** The details as they arrived: an error that is only passed on keeps the digits of their numbers. */
  #arrived: Uint8Array | undefined;

  constructor(code: Code, message: string, options: LintelErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    if (!isCode(code))
      throw new TypeError(`"${String(code)}" is not a status code; docs/ERRORS.md lists them`);
    const reason = options.reason ?? code.toUpperCase();
    if (!isReason(reason)) throw new TypeError(`"${reason}" is not a reason: it must match [A-Z0-9_]{1,64}`);
    this.code = code;
    this.reason = reason;
    this.retryable = options.retryable ?? false;
    this.details = options.details;
  }

  /** Milliseconds after which it may be tried again, where the failure says so. */
  get retryAfterMs(): number | undefined {
    return delayOf(this.details);
  }

  /** An error of Lintel's own table. */
  static of(reason: Reason, message?: string, cause?: unknown): LintelError {
    const row = REASONS[reason];
    return new LintelError(row.code, message ?? row.text, { reason, retryable: row.retryable, cause });
  }

  /** The error a caller sees for a failure that arrived. */
  static from(arrived: Failure): LintelError {
    const error = new LintelError(arrived.code, arrived.message, {
      reason: reasonOr(arrived.reason, arrived.code),
      retryable: arrived.retryable,
      details: arrived.details === undefined ? undefined : parseDetails(arrived.details),
    });
    error.#arrived = arrived.details;
    return error;
  }

  /** The form that travels. Details that are no JSON value are left out. */
  toFailure(): Failure {
    const { code, reason, message, retryable } = this;
    if (this.details === undefined) return { code, reason, message, retryable };
    return { code, reason, message, retryable, details: this.#encodedDetails() };
  }

  #encodedDetails(): Uint8Array | undefined {
    const encoded = formatDetails(this.details);
    if (this.#arrived === undefined || encoded === undefined) return encoded;
    const asArrived = formatDetails(parseDetails(this.#arrived));
    return asArrived !== undefined && isSame(asArrived, encoded) ? this.#arrived : encoded; // else they were changed
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function formatDetails(details: unknown): Uint8Array | undefined {
  try {
    const text: string | undefined = JSON.stringify(details);
    return text === undefined ? undefined : new TextEncoder().encode(text);
  } catch {
    return undefined; // cyclic or a BigInt: the error itself matters more than its details
  }
}

function parseDetails(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined; // details are a courtesy; a sender that garbles them must not hide the error
  }
}
