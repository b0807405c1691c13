/** Values in messages: which codec writes a value, and which reads a payload. */
import { copyOf } from "../message/bytes.ts";
import { findHeader } from "../message/headers.ts";
import { Format, Message } from "../message/message.ts";
import type { Codec } from "./codec.ts";
import { form } from "./form.ts";
import { json } from "./json.ts";
import { bytes, text } from "./plain.ts";

/**
 * A message with this value: nothing for undefined, text for a string, bytes for a Uint8Array, JSON for all else. With a
 * `content-type` among the headers the payload is marked as typed, so that the header decides.
 */
export function messageOf(value: unknown, head: string): Message {
  const typed = head !== "" && findHeader(head, "content-type") !== undefined;
  if (typeof value === "string") return Message.ofValue(value, text, typed ? Format.typed : Format.text, head);
  if (value instanceof Uint8Array) return Message.ofBytes(value, head, typed ? Format.typed : Format.bytes);
  if (value === undefined) return Message.ofBytes(NO_BYTES, head, Format.typed);
  return Message.ofValue(value, json, Format.typed, head);
}

const NO_BYTES = new Uint8Array(0);

/** The value a message carries. Shares nothing with a borrowed message. Throws `BAD_PAYLOAD`. */
export function valueOf(message: Message): unknown {
  const { encoder } = message;
  if (encoder !== undefined) return (encoder as Codec).transfer(message.value);
  const { format, payloadStart, end } = message;
  if (format === Format.bytes) return ownBytes(message);
  if (format === Format.text) return text.decode(message.bytes, payloadStart, end);
  if (payloadStart === end) return undefined;
  const codec = codecFor(findHeader(message.headText(), "content-type"));
  return codec === bytes ? ownBytes(message) : codec.decode(message.bytes, payloadStart, end);
}

/** The payload's bytes, safe to keep. */
export function ownBytes(message: Message): Uint8Array {
  // What was made here belongs to the message; what was received lies in a buffer that will be reused.
  if (message.head !== undefined) return message.payload();
  return copyOf(message.bytes, message.payloadStart, message.end);
}

/** The codec for a content type; without one it is JSON, and an unknown type is read as bytes. */
function codecFor(contentType: string | undefined): Codec {
  if (contentType === undefined) return json;
  const semicolon = contentType.indexOf(";");
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (type === json.contentType || type.endsWith("+json")) return json;
  if (type.startsWith("text/")) return text;
  return type === form.contentType ? form : bytes;
}
