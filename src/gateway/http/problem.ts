/** Failures as HTTP responses. */
import { STATUS_CODES } from "node:http";
import type { Failure } from "../../message/failure.ts";
import { problemText } from "../../message/problem.ts";
import { httpStatus } from "../../message/status.ts";
import { retryAfter } from "./retry-after.ts";

/** A problem ready to be written. */
export interface Problem {
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn, `Content-Length` included. */
  readonly headers: string[];
  readonly body: Buffer;
}

/** The problem for a failure; `status` where HTTP has a better one than the table. */
export function problemOf(failed: Failure, status: number = httpStatus(failed)): Problem {
  const { reason, text } = problemText(failed, status);
  const body = Buffer.from(text);
  const headers = ["Content-Type", "application/problem+json", "Content-Length", String(body.length)];
  headers.push(...retryAfter(status, failed));
  if (status === 401) headers.push("WWW-Authenticate", "Bearer"); // RFC 9110, section 15.5.2
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
