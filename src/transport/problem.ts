import { failure, type Failure } from "../message/failure.ts";
import { httpStatus, type Code, type Reason } from "../message/status.ts";

/** An answer that refuses an HTTP request, as problem details (RFC 9457). */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A refusal for a reason of the table. */
export function refuse(reason: Reason, detail: string, status?: number): Refusal {
  return refusalOf(failure(reason, detail), status);
}

/** A refusal for which the code says enough. */
export function refuseWith(code: Code, detail: string): Refusal {
  return refusalOf({ code, reason: code.toUpperCase(), message: detail, retryable: false });
}

function refusalOf(failed: Failure, status: number = httpStatus(failed)): Refusal {
  const { code, reason, message, retryable } = failed;
  const title = code.replaceAll("_", " ");
  const body = Buffer.from(
    JSON.stringify({ type: `urn:lintel:${reason}`, title, status, detail: message, code, reason, retryable }),
  );
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      "content-length": String(body.length),
      "cache-control": "no-store",
      ...(status === 405 ? { allow: "POST" } : {}),
      ...(status === 503 ? { "retry-after": "1" } : {}),
    },
    body,
  };
}
