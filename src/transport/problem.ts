/** Answers that refuse an HTTP request, as problem details (RFC 9457). */
import { STATUS_CODES, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { failure, type Failure } from "../message/failure.ts";
import { problemText } from "../message/problem.ts";
import { httpStatus, type Code, type Reason } from "../message/status.ts";

export interface Refusal {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface RefusalOptions {
  /** Where HTTP has a better one than the table. */
  readonly status?: number;
  /** Besides those that every refusal has. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A refusal for a reason of the table. */
export function refuse(reason: Reason, detail: string, options: RefusalOptions = {}): Refusal {
  return refusalOf(failure(reason, detail), options);
}

/** A refusal for a reason outside of the table; for none, where the code says enough. */
export function refuseWith(
  code: Code,
  detail: string,
  { reason = code.toUpperCase(), ...options }: RefusalOptions & { readonly reason?: string } = {},
): Refusal {
  return refusalOf({ code, reason, message: detail, retryable: false }, options);
}

/** A refusal for a failure. */
export function refusalOf(
  failed: Failure,
  { status = httpStatus(failed), headers }: RefusalOptions = {},
): Refusal {
  const body = Buffer.from(problemText(failed, status).text);
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      "content-length": String(body.length),
      "cache-control": "no-store",
      ...(status === 503 ? { "retry-after": "1" } : {}),
      ...headers,
    },
    body,
  };
}

/** Answers a request. What is left of its body, Node reads and drops. */
export function answerRefusal(response: ServerResponse, { status, headers, body }: Refusal): void {
  response.writeHead(status, headers);
  response.end(body);
}

/** Answers a request for an upgrade, and ends its socket. */
export function writeRefusal(socket: Duplex, { status, headers, body }: Refusal): void {
  const lines = Object.entries({ connection: "close", ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.on("error", () => socket.destroy()); // the client has left
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body.toString()}`);
}
