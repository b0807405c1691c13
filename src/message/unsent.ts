/**
 * Answers that cannot be given to their callers. The caller has done nothing wrong, so what it hears is never what a caller's
 * own mistake is called: the one table of these is here.
 *
 * | the answer                                                                     | the caller hears  | HTTP |
 * |--------------------------------------------------------------------------------|-------------------|------|
 * | cannot be written: a BigInt, a cycle, a `toJSON` that throws, no bytes          | `HANDLER_FAILED`  | 500  |
 * | cannot be sent: status, headers, size, streams that the caller does not take    | `BAD_ANSWER`      | 502  |
 * | cannot be sent by no fault of the worker: the hub drains, the connection is lost | what has happened | 5xx |
 */
import { isLength } from "./declared-length.ts";
import { LintelError, failure, type Failure } from "./failure.ts";
import { formatHeaders, isHttpValue, type HeadersInit } from "./headers.ts";
import type { Message } from "./message.ts";
import { httpStatus } from "./status.ts";

/** Why an answer that could be written could not be sent. Their texts are Lintel's own, and hold no secret. */
const UNSENDABLE: ReadonlySet<string> = new Set(["BAD_HEADER", "HEADERS_TOO_LARGE", "TOO_LARGE", "TOO_MANY"]);

/** What the caller hears of an answer that failed like this. */
export function answerFailure(error: unknown): Failure {
  if (!(error instanceof LintelError)) return failure("HANDLER_FAILED");
  if (UNSENDABLE.has(error.reason)) return failure("BAD_ANSWER", `the worker answered, but ${error.message}`);
  return httpStatus(error) < 500 ? failure("HANDLER_FAILED") : error.toFailure();
}

/** The same, and the worker is told. */
export function unsentAnswer(answer: Message, error: unknown): Failure {
  answer.onUnsent?.(error);
  return answerFailure(error);
}

/** False when an answer that could not be read could not have been written either. */
export function canBeWritten(answer: Message): boolean {
  if (answer.encoder === undefined) return true;
  try {
    answer.payload();
    return true;
  } catch {
    return false;
  }
}

const STATUS = /^[2-5]\d\d$/;
/** The one pseudo-header that workers give: what beam calls the answer. */
const NAME = ":name";

/** What a worker says of its answer besides the value. */
export interface AnswerHead {
  readonly status: number | undefined;
  readonly headers: HeadersInit;
}

/** The header block of an answer, checked. `byHttp`: the request came over HTTP, which carries less. Throws `BAD_HEADER`. */
export function formatAnswerHead({ status, headers }: AnswerHead, byHttp: boolean): string {
  if (status !== undefined && !STATUS.test(String(status)))
    throw LintelError.of("BAD_HEADER", `its status ${String(status)} is not a whole number from 200 to 599`);
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") && name !== NAME)
      throw LintelError.of("BAD_HEADER", `the name of its header ${name} is reserved`);
    if (name.toLowerCase() === "content-length" && !isLength(String(value)))
      throw LintelError.of("BAD_HEADER", "its content-length is not a number of bytes");
    if (byHttp && [value].flat().some((one) => typeof one === "string" && !isHttpValue(one)))
      throw LintelError.of(
        "BAD_HEADER",
        `the value of its header ${name} has characters that HTTP cannot carry`,
      );
  }
  return (status === undefined ? "" : `:status:${status}\n`) + formatHeaders(headers);
}
