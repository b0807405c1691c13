/** Failures as problem details (RFC 9457): the same members for every failure, and never a stack. */
import { STATUS_CODES } from "node:http";
import type { Failure } from "../../message/failure.ts";
import { REASONS, httpStatus, type Reason } from "../../message/status.ts";

/** A problem ready to be written. */
export interface Problem {
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn, `Content-Length` included. */
  readonly headers: string[];
  readonly body: Buffer;
}

const REASON_SHAPE = /^[A-Z0-9_]{1,64}$/;

/** The problem for a failure; `status` where HTTP has a better one than the table. */
export function problemOf(failed: Failure, status: number = httpStatus(failed)): Problem {
  const reason = REASON_SHAPE.test(failed.reason) ? failed.reason : failed.code.toUpperCase();
  const members = JSON.stringify({
    type: `urn:lintel:${reason}`,
    title: titleOf(failed, reason),
    status,
    detail: failed.message,
    code: failed.code,
    reason,
    retryable: failed.retryable,
  });
  const details = failed.details === undefined ? undefined : jsonText(failed.details);
  const body = Buffer.from(details === undefined ? members : `${members.slice(0, -1)},"details":${details}}`);
  const headers = ["Content-Type", "application/problem+json", "Content-Length", String(body.length)];
  if (status === 503 && failed.retryable) headers.push("Retry-After", "1");
  return { status, reason, headers, body };
}

/** A whole HTTP/1.1 response that ends its connection, for where there is no response object to write it with. */
export function closingResponse(problem: Problem, withBody: boolean): Buffer {
  let head = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? "Unknown"}\r\n`;
  head += `Date: ${new Date().toUTCString()}\r\n`;
  for (let index = 0; index < problem.headers.length; index += 2) {
    head += `${problem.headers[index]}: ${problem.headers[index + 1]}\r\n`;
  }
  head += "Connection: close\r\n\r\n";
  return Buffer.concat(
    withBody ? [Buffer.from(head, "latin1"), problem.body] : [Buffer.from(head, "latin1")],
  );
}

function titleOf(failed: Failure, reason: string): string {
  if (Object.hasOwn(REASONS, reason)) {
    const row = REASONS[reason as Reason];
    if (row.code === failed.code) return row.text;
  }
  return failed.code.replaceAll("_", " ");
}

/** Details as they came, provided they are JSON: they are put into the problem unread otherwise. */
function jsonText(details: Uint8Array): string | undefined {
  const text = Buffer.from(details.buffer, details.byteOffset, details.byteLength).toString("utf8");
  try {
    JSON.parse(text);
    return text;
  } catch {
    return undefined; // details are a courtesy; a sender that garbles them must not hide the failure
  }
}
