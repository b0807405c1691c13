/** From a worker's answer to an HTTP response. */
import { failure, type Failure } from "../../message/failure.ts";
import { isLength } from "../../message/declared-length.ts";
import { findHeader, isHttpValue } from "../../message/headers.ts";
import { Format, encodedBy, type Message } from "../../message/message.ts";
import { isHopByHop, namedByConnection } from "./hop-by-hop.ts";

/** A response ready to be written in one go. */
export interface HttpAnswer {
  readonly status: number;
  /** Names and values in turn, `Content-Length` included. */
  readonly headers: string[];
  /** A string holds one byte per character (latin1). */
  readonly body: string | Uint8Array | undefined;
}

type BufferMethods = { latin1Slice(this: Uint8Array, start: number, end: number): string };
const native = Buffer.prototype as unknown as BufferMethods;

const TYPES: Readonly<Record<number, string>> = {
  [Format.typed]: "application/json",
  [Format.bytes]: "application/octet-stream",
  [Format.text]: "text/plain; charset=utf-8",
};

/** Status and headers a worker gave its answer. */
export interface AnswerHead {
  /** 0 when it named none. */
  readonly status: number;
  /** Names and values in turn, without `Content-Length`. */
  readonly headers: string[];
  /** True when there is a `Content-Type` among them. */
  readonly typed: boolean;
}

/** Bodies up to this many bytes become a string, which node writes together with the head; longer ones are sent as views. */
const SHORT_BODY = 4_096;

const NONE: ReadonlySet<string> = new Set();
const STATUS = /^[2-5]\d\d$/;
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

/**
 * The response for an answer; a failure (to be sent as 502) when its headers cannot be sent over HTTP. `isFinal`: a web app
 * has made it, and what it does not say of its body nobody else does. `isHead`: there is no body, so its length is taken
 * from the headers.
 */
export function responseOf(answer: Message, isFinal: boolean, isHead: boolean): HttpAnswer | Failure {
  const headless = answer.head === undefined ? answer.headStart === answer.payloadStart : answer.head === "";
  const body = bodyOf(answer);
  if (headless) {
    if (body.length === 0 && answer.format === Format.typed)
      return { status: 204, headers: [], body: undefined };
    const headers = ["Content-Type", TYPES[answer.format]!, "Content-Length", String(body.length)];
    return { status: 200, headers, body };
  }
  return withHeaders(answer, body, isFinal, isHead);
}

function withHeaders(
  answer: Message,
  body: string | Uint8Array,
  isFinal: boolean,
  isHead: boolean,
): HttpAnswer | Failure {
  const head = headOf(answer);
  if ("code" in head) return head;
  const { headers } = head;
  const typed = head.typed || isFinal;
  let { status } = head;
  if (status === 0) status = body.length === 0 && answer.format === Format.typed && !typed ? 204 : 200;
  if (status === 204 || status === 304) return { status, headers, body: undefined };
  if (status === 205) return { status, headers: [...headers, "Content-Length", "0"], body: undefined };
  if (!typed && (body.length > 0 || answer.format !== Format.typed)) {
    headers.push("Content-Type", TYPES[answer.format]!);
  }
  let length: string | undefined = String(body.length);
  if (isHead && body.length === 0) {
    length = findHeader(answer.headText(), "content-length") ?? (isFinal ? undefined : "0");
    if (length !== undefined && !isLength(length))
      return badAnswer("its content-length is not a number of bytes");
  }
  if (length !== undefined) headers.push("Content-Length", length);
  return { status, headers, body };
}

/** The answer's status and headers; a failure when they cannot be sent over HTTP. */
export function headOf(answer: Message): AnswerHead | Failure {
  const lines = answer.headText().split("\n");
  const named = connectionNames(lines);
  const headers: string[] = [];
  let status = 0;
  let typed = false;
  for (const line of lines) {
    const colon = line.indexOf(":", 1);
    if (colon < 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1);
    if (name === ":status") {
      if (!STATUS.test(value)) return badAnswer(":status is not a final status from 200 to 599");
      if (status === 0) status = Number(value);
      continue;
    }
    if (name.startsWith(":") || name === "content-length" || isHopByHop(name) || named.has(name)) continue;
    if (!NAME.test(name)) return badAnswer("it has an illegal header name");
    if (!isHttpValue(value))
      return badAnswer(`the value of its header ${name} has characters that HTTP cannot carry`);
    if (name === "content-type") typed = true;
    headers.push(name, value);
  }
  return { status, headers, typed };
}

/** True for what can be sent as a line of a head. */
export function isHeaderField(name: string, value: string): boolean {
  return NAME.test(name) && isHttpValue(value);
}

/** Without the rule for Connection a worker's answer could name headers that only seem to be for the caller. */
function connectionNames(lines: readonly string[]): ReadonlySet<string> {
  const line = lines.find((one) => one.startsWith("connection:"));
  return line === undefined ? NONE : namedByConnection(line.slice("connection:".length));
}

/** The payload; latin1 text when it is short. */
function bodyOf(answer: Message): string | Uint8Array {
  if (answer.encoder !== undefined) {
    const encoded = encodedBy(answer.encoder, answer.value);
    return typeof encoded === "string" ? bodyOfText(encoded) : encoded;
  }
  const { bytes, payloadStart, end } = answer;
  if (end - payloadStart <= SHORT_BODY) return native.latin1Slice.call(bytes, payloadStart, end);
  return answer.payload();
}

/** A text as a body. As many bytes as characters means ASCII, which is latin1 as well. */
export function bodyOfText(text: string): string | Uint8Array {
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text);
}

/** Failure of a worker whose answer HTTP cannot carry. */
export function badAnswer(why: string): Failure {
  return failure("BAD_ANSWER", `the worker answered, but ${why}`);
}
