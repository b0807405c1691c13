/** Why an HTTP request does not become a WebSocket, as an answer with problem details (RFC 9457). */
import { STATUS_CODES, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Code } from "../message/status.ts";

export interface Refusal {
  readonly status: number;
  readonly code: Code;
  readonly reason: string;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function bodyOf({ status, code, reason, detail }: Refusal): string {
  const type = `urn:lintel:${reason}`;
  return JSON.stringify({
    type,
    title: code.replaceAll("_", " "),
    status,
    detail,
    code,
    reason,
    retryable: false,
  });
}

function headersOf(refusal: Refusal, body: string): Record<string, string> {
  return {
    "Content-Type": "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
    ...refusal.headers,
  };
}

/** Answers a request that asks for no upgrade. */
export function answerRefusal(response: ServerResponse, refusal: Refusal): void {
  const body = bodyOf(refusal);
  response.writeHead(refusal.status, headersOf(refusal, body));
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Answers a request for an upgrade, and ends its socket. */
export function writeRefusal(socket: Duplex, refusal: Refusal): void {
  const body = bodyOf(refusal);
  const headers = Object.entries(headersOf(refusal, body)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on("error", () => socket.destroy()); // it has left; there is nobody to tell
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${headers.join("")}\r\n${body}`);
}
