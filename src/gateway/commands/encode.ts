/** Messages and failures, as they are sent to clients. */
import { base64Of } from "../../codec/base64.ts";
import { form } from "../../codec/form.ts";
import { json } from "../../codec/json.ts";
import { deeperThan } from "../../codec/json-nesting.ts";
import { inOneLine } from "../../codec/json-slices.ts";
import { JsonText } from "../../codec/json-text.ts";
import { MAX_DEPTH } from "../../codec/refusal.ts";
import { readStrictUtf8 } from "../../codec/strict-text.ts";
import { builtInFor, valueOf } from "../../codec/values.ts";
import { charsetOf } from "../../codec/charset.ts";
import { failedReply, noHandlers, type FailedReply } from "../../commands/error.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import { findHeader } from "../../message/headers.ts";
import { Format, type Message } from "../../message/message.ts";

/**
 * The payload as the body of a command (C-13): JSON as it was written, text as a string, bytes as a string in base64. Undefined for
 * none. Throws `BAD_PAYLOAD` for JSON that is none, and what an encoder throws.
 */
export function bodyOf(message: Message): JsonText | undefined {
  if (message.encoder === json) return jsonBody(String(json.encode(message.value)));
  const { format } = message;
  const payload = message.payload();
  if (format === Format.bytes) return new JsonText(`"${base64Of(payload)}"`);
  if (format === Format.text) return textBody(payload);
  if (payload.length === 0) return undefined;
  const contentType = findHeader(message.headText(), "content-type");
  const codec = contentType === undefined ? json : builtInFor(contentType);
  if (codec === undefined) return new JsonText(`"${base64Of(payload)}"`);
  const isPlain = contentType === undefined || charsetOf(contentType) === undefined;
  if (codec === json && isPlain) return jsonBody(checkedJson(payload));
  if (codec !== form && isPlain) return textBody(payload);
  return new JsonText(JSON.stringify(valueOf(message)));
}

/** What a client is told of a failure (C-20). */
export function failedReplyTo(action: string, why: LintelError | Failure): FailedReply {
  if (why.reason === "NO_RESPONDERS") return failedReply(noHandlers(action));
  return failedReply(why instanceof LintelError ? why : LintelError.from(why));
}

/** `null` is left out. */
function jsonBody(text: string): JsonText | undefined {
  return text === "null" ? undefined : new JsonText(inOneLine(text));
}

function checkedJson(payload: Uint8Array): string {
  const text =
    deeperThan(MAX_DEPTH, payload, 0, payload.length) < 0
      ? readStrictUtf8(payload, 0, payload.length)
      : undefined;
  if (text === undefined) throw LintelError.of("BAD_PAYLOAD", "the payload is no JSON, or nested too deep");
  try {
    JSON.parse(text);
  } catch (cause) {
    throw LintelError.of(
      "BAD_PAYLOAD",
      `the payload is no JSON: ${(cause as Error).message.slice(0, 200)}`,
      cause,
    );
  }
  return text.trim();
}

/** Text in UTF-8; what is none is sent as bytes are. */
function textBody(payload: Uint8Array): JsonText {
  const text = readStrictUtf8(payload, 0, payload.length);
  return new JsonText(text === undefined ? `"${base64Of(payload)}"` : JSON.stringify(text));
}
