/** What clients say, as messages and failures. */
import { stringifyExactJson } from "../../codec/exact-json.ts";
import { wellFormed } from "../../codec/strict-text.ts";
import type { Command, ReplyAction } from "../../commands/command.ts";
import { errorOfReply } from "../../commands/error.ts";
import type { Failure } from "../../message/failure.ts";
import { Format, Message } from "../../message/message.ts";
import { encodeUtf8 } from "../../message/text.ts";

/** Of a failure's text, in UTF-16 units, and its details, in bytes. More does not travel. */
const MAX_TEXT = 2_048;
const MAX_DETAILS = 65_536;
const NO_BYTES = new Uint8Array(0);

/** The body of a command as a message (C-10): text for a string, nothing for none, and else JSON as it was written. */
export function messageOf({ body, bodyText }: Pick<Command, "body" | "bodyText">): Message {
  if (body === undefined || body === null) return Message.ofBytes(NO_BYTES, "", Format.typed);
  if (typeof body === "string" && wellFormed(body) === body)
    return Message.ofBytes(encodeUtf8(body), "", Format.text);
  return Message.ofBytes(encodeUtf8(bodyText ?? stringifyExactJson(body)!), "", Format.typed); // it came as JSON
}

/** The failure that a client's `drs.error` or `drs.exception` says (C-33). */
export function failureOf(action: ReplyAction, body: unknown): Failure {
  const { code, reason, message, retryable, details } = errorOfReply(action, body).toFailure();
  const fits = details !== undefined && details.length <= MAX_DETAILS;
  return { code, reason, message: message.slice(0, MAX_TEXT), retryable, ...(fits ? { details } : {}) };
}
