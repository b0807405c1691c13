/** What a worker says of its jobs, as messages and failures. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { headerLine } from "../../message/headers.ts";
import { Format, Message } from "../../message/message.ts";
import { isCode, reasonOr } from "../../message/status.ts";
import type { Answer, Failure as SentFailure, FailureSchema } from "./generated/lintel/v1/worker_pb.ts";
import type { GrpcLimits } from "./options.ts";

/** Of a failure's text, in UTF-16 units, and its details, in bytes. More does not travel. */
const MAX_TEXT = 2_048;
const MAX_DETAILS = 65_536;

/** Media types that messages have a form for. */
const FORMATS: ReadonlyMap<string, Format> = new Map([
  ["application/json", Format.typed],
  ["application/octet-stream", Format.bytes],
  ["text/plain", Format.text],
  ["text/plain; charset=utf-8", Format.text],
]);

/** The answer as a message (W-51). Throws `TOO_LARGE`, `HEADERS_TOO_LARGE`, `BAD_HEADER`, or `invalid_argument` for a status. */
export function answerOf(
  { payload, contentType, headers, status }: Answer,
  limits: Pick<GrpcLimits, "payload" | "headers">,
): Message {
  if (payload.length > limits.payload)
    throw LintelError.of("TOO_LARGE", `the payload has ${payload.length} bytes, over ${limits.payload}`);
  let head = status === 0 ? "" : statusLine(status);
  for (const { name, value } of headers) {
    if (name.startsWith(":") && name !== ":name")
      throw LintelError.of("BAD_HEADER", `${name} is not a header`);
    head += headerLine(name, value);
  }
  const untyped = payload.length === 0 ? Format.typed : Format.bytes;
  const format = contentType === "" ? untyped : FORMATS.get(contentType.toLowerCase());
  if (format === undefined) head += headerLine("content-type", contentType);
  if (Buffer.byteLength(head) > limits.headers) throw LintelError.of("HEADERS_TOO_LARGE");
  return Message.ofBytes(payload, head, format ?? Format.typed);
}

function statusLine(status: number): string {
  if (!(status >= 200 && status <= 599))
    throw new LintelError("invalid_argument", `the status ${status} is not from 200 to 599`);
  return `:status:${status}\n`;
}

/** A failure that a worker has sent (W-61). */
export function failureOf(sent: SentFailure | undefined): Failure {
  const { code: named = "", reason = "", message = "", retryable = false, details } = sent ?? {};
  const code = isCode(named) ? named : named === "" ? "internal" : "unknown";
  return {
    code,
    reason: reasonOr(reason, code),
    message: message === "" ? failure("HANDLER_FAILED").message : message.slice(0, MAX_TEXT),
    retryable,
    details:
      details === undefined || details.length === 0 || details.length > MAX_DETAILS ? undefined : details,
  };
}

/** A failure as it is sent to a worker. */
export function sentFailure(why: Failure): MessageInitShape<typeof FailureSchema> {
  const { code, reason, message, retryable, details } = why;
  return { code, reason, message, retryable, ...(details === undefined ? {} : { details }) };
}
