/** What a worker says of a job, read from the body and headers of its call. */
import { isUtf8 } from "node:buffer";
import { bytesOfBase64 } from "../../codec/base64.ts";
import { charsetOf } from "../../codec/charset.ts";
import { form } from "../../codec/form.ts";
import { deeperThan } from "../../codec/json-nesting.ts";
import { membersOf } from "../../codec/json-slices.ts";
import { MAX_DEPTH } from "../../codec/refusal.ts";
import { readStrictUtf8, wellFormed } from "../../codec/strict-text.ts";
import { bareType } from "../../codec/values.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { findHeader, headerLine, isHttpValue } from "../../message/headers.ts";
import { MAX_HEADERS } from "../../message/limits.ts";
import { Format, Message } from "../../message/message.ts";
import { isCode, isReason } from "../../message/status.ts";
import { encodeUtf8 } from "../../message/text.ts";
import { headerOf } from "../raw-headers.ts";
import { badRequest, type PollParameters } from "./poll-parameters.ts";

const ANSWER_HEADER = "lintel-header-";
const STATUS = /^[2-5]\d\d$/;
const BRACE = 0x7b;
const BRACKET = 0x5b;
/** Of a failure's text, in UTF-16 units, and its details, in bytes. More does not travel. */
const MAX_TEXT = 2_048;
const MAX_DETAILS = 65_536;
/** A value of an answer may be as deep as any, in an entry of an array. */
const MAX_NESTING = MAX_DEPTH + 2;

/**
 * The answer in the body of a call. Status and headers of the answer are `?status=` and `Lintel-Header-*`; its type is the
 * call's. Throws `BAD_REQUEST` and `BAD_HEADER`.
 */
export function answerOf(
  body: Uint8Array,
  rawHeaders: readonly string[],
  parameters: PollParameters,
  compat: "astrohub" | undefined,
): Message {
  let head = "";
  // To Lintel an answer without anything is 204, to AstroHub an empty one.
  const status = parameters.get("status") ?? (compat !== undefined && body.length === 0 ? "200" : undefined);
  if (status !== undefined) head += statusLine(status);
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (name.startsWith(ANSWER_HEADER))
      head += headerLine(name.slice(ANSWER_HEADER.length), rawHeaders[index + 1]!);
  }
  const type = headerOf(rawHeaders, "content-type");
  // `curl -d` says "form" whatever it sends, and no worker answers with one.
  if (type === undefined || bareType(type) === form.contentType)
    return Message.ofBytes(body, head, formatOf(body));
  return Message.ofBytes(body, `${head}${headerLine("content-type", type)}`, Format.typed);
}

/** How a body without a content type is read. */
function formatOf(body: Uint8Array): Format {
  const [first] = body;
  if (first === undefined || first === BRACE || first === BRACKET) return Format.typed;
  return isUtf8(body) ? Format.text : Format.bytes;
}

/** One entry of a call that answers several jobs. */
export interface AnswerEntry {
  readonly id: string;
  readonly response?: unknown;
  readonly encoding?: unknown;
  readonly status?: unknown;
  readonly headers?: unknown;
  readonly error?: unknown;
  readonly release?: unknown;
}

/**
 * The answer in such an entry, whose `response` is written as `json`: it is passed on with the digits it has there. Throws
 * as `answerOf` does.
 */
export function answerOfEntry(entry: AnswerEntry, json: Uint8Array | undefined): Message {
  const { response, encoding = "json", status, headers = {} } = entry;
  let head = status === undefined ? "" : statusLine(JSON.stringify(status));
  if (typeof headers !== "object" || headers === null) throw badRequest("headers must be an object");
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":")) throw badRequest("a header's name must not begin with a colon");
    for (const one of Array.isArray(value) ? value : [value]) {
      head += headerLine(name, one as string);
      if (!isHttpValue(one as string))
        throw badRequest(`the value of ${name} has characters that HTTP cannot carry`);
    }
  }
  if (Buffer.byteLength(head) > MAX_HEADERS) throw LintelError.of("HEADERS_TOO_LARGE");
  const type = findHeader(head, "content-type");
  const typed = type !== undefined;
  if (typed && encoding !== "base64" && charsetOf(type) !== undefined)
    throw badRequest("a body that is not base64 is sent in UTF-8, but its content type says another charset");
  if (json === undefined) return Message.ofBytes(new Uint8Array(0), head, Format.typed);
  if (encoding === "json") return Message.ofBytes(json, head, Format.typed);
  if (typeof response !== "string")
    throw badRequest(`with encoding ${String(encoding)} the response must be a string`);
  if (encoding === "text" && response !== wellFormed(response))
    throw badRequest("the response has half a surrogate pair, which UTF-8 cannot encode");
  if (encoding === "text")
    return Message.ofBytes(encodeUtf8(response), head, typed ? Format.typed : Format.text);
  const bytes = encoding === "base64" ? bytesOfBase64(response) : undefined;
  if (bytes === undefined) throw badRequest("encoding must be json, text or base64, and match response");
  return Message.ofBytes(bytes, head, typed ? Format.typed : Format.bytes);
}

function statusLine(status: string): string {
  if (!STATUS.test(status)) throw badRequest("status must be from 200 to 599");
  return `:status:${status}\n`;
}

/**
 * The failure in the body of a call: a JSON object with `code`, `reason`, `message` (or `detail`, as problems have it),
 * `retryable` and `details`, or the text alone. Parameters of the same names go before. Throws `BAD_REQUEST`.
 */
export function errorOf(body: Uint8Array, parameters: PollParameters): Failure {
  const text = textOf(body);
  if (body[0] !== BRACE) return errorOfValue({ message: text, ...Object.fromEntries(parameters) });
  const said = { ...objectOf(body), ...Object.fromEntries(parameters) };
  return errorOfValue(said, parameters.has("details") ? undefined : writtenAs(body, "details"));
}

/** A member of a JSON object as it is written there. */
export function writtenAs(json: Uint8Array, name: string): Uint8Array | undefined {
  const member = membersOf(json).get(name);
  return member && json.slice(member.start, member.end);
}

/** The failure that an object says; `json` is how its `details` are written, if that is known. Throws `BAD_REQUEST`. */
export function errorOfValue(said: object, json?: Uint8Array): Failure {
  const {
    code = "internal",
    reason,
    message,
    detail,
    retryable = false,
    details,
  } = said as Record<string, unknown>;
  if (!isCode(code)) throw badRequest("code must be one of the codes in docs/ERRORS.md");
  const name = reason ?? code.toUpperCase();
  if (typeof name !== "string" || !isReason(name)) throw badRequest("reason must match [A-Z0-9_]{1,64}");
  const text = message ?? detail ?? "";
  if (typeof text !== "string") throw badRequest("message must be text");
  const may = typeof retryable === "string" ? retryable === "true" : retryable;
  if (typeof may !== "boolean") throw badRequest("retryable must be true or false");
  const shown = text === "" ? failure("HANDLER_FAILED").message : text.slice(0, MAX_TEXT);
  const failed: Failure = { code, reason: name, message: shown, retryable: may };
  if (details === undefined) return failed;
  const bytes = json ?? encodeUtf8(JSON.stringify(details));
  if (bytes.length > MAX_DETAILS) throw badRequest(`details must not exceed ${MAX_DETAILS} bytes`);
  return { ...failed, details: bytes };
}

/** The object in a JSON text. Throws `BAD_REQUEST`. */
function objectOf(body: Uint8Array): object {
  const value = jsonOf(body);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw badRequest("the body is not a JSON object");
}

/** The value of a JSON text. Throws `BAD_REQUEST`. */
export function jsonOf(body: Uint8Array): unknown {
  // The platform's parser takes any depth, what writes the value again does not.
  if (deeperThan(MAX_NESTING, body, 0, body.length) >= 0)
    throw badRequest(`the body is nested deeper than ${MAX_NESTING}`);
  const text = textOf(body);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** The text of a body. Throws `BAD_REQUEST` for what is no UTF-8, of which nothing is replaced. */
function textOf(body: Uint8Array): string {
  const text = readStrictUtf8(body, 0, body.length);
  if (text === undefined) throw badRequest("the body is not UTF-8");
  return text;
}
