/** Values in messages: which codec writes a value, and which reads a payload. */
import { bytesOf } from "../message/bytes.ts";
import { LintelError } from "../message/failure.ts";
import { findHeader } from "../message/headers.ts";
import { Format, Message } from "../message/message.ts";
import { encodeUtf8 } from "../message/text.ts";
import { charsetOf, checkCoding, readCharset } from "./charset.ts";
import type { Codec } from "./codec.ts";
import { form, isJsonInForm } from "./form.ts";
import { json } from "./json.ts";
import { bytes, text } from "./plain.ts";
import { unwritable } from "./refusal.ts";

/**
 * A message with this value: nothing for undefined, text for a string, bytes for a Uint8Array, JSON for all else. With a
 * `content-type` among the headers the payload is marked as typed, so that the header decides.
 */
export function messageOf(value: unknown, head: string): Message {
  const contentType = head === "" ? undefined : findHeader(head, "content-type");
  const typed = contentType !== undefined;
  const charset = typed && !(value instanceof Uint8Array) ? charsetOf(contentType) : undefined;
  if (charset !== undefined)
    throw unwritable(
      "text",
      `values are encoded in UTF-8, but its content type says ${charset}: pass bytes instead`,
    );
  if (typeof value === "string")
    return Message.ofValue(value, text, typed ? Format.typed : Format.text, head);
  if (value instanceof Uint8Array) {
    const held = value.length === 0 ? bytesOf(value) : value; // throws when its memory was given away
    return Message.ofBytes(held, head, typed ? Format.typed : Format.bytes);
  }
  if (value === undefined) return Message.ofBytes(NO_BYTES, head, Format.typed);
  return Message.ofValue(value, json, Format.typed, head);
}

const NO_BYTES = new Uint8Array(0);

/** Codecs beside the built-in ones, by content type. */
export interface KnownCodecs {
  find(contentType: string): Codec | undefined;
}

/** The value a message carries, read by the built-in codecs and, if given, the known ones. Throws `BAD_PAYLOAD`. */
export function valueOf(message: Message, known?: KnownCodecs): unknown {
  const { encoder, format, payloadStart, end } = message;
  if (encoder !== undefined) return valueMadeHere(message, encoder as Codec, known);
  if (format === Format.bytes) return message.payload();
  if (format === Format.text) return text.decode(message.bytes, payloadStart, end);
  if (payloadStart === end) return known === undefined ? undefined : emptyValue(message, known);
  const head = message.headText();
  const contentType = findHeader(head, "content-type");
  const codec = codecFor(contentType, known);
  if (codec === bytes) return message.payload();
  checkCoding(head);
  const charset = contentType === undefined ? undefined : charsetOf(contentType);
  if (charset !== undefined && isTextual(contentType!)) return valueIn(charset, codec, message.payload());
  if (codec === json) return json.decode(message.bytes, payloadStart, end);
  const payload = message.payload(); // parts of the value may be views of it
  return codec.decode(payload, 0, payload.length);
}

const PERCENT = 0x25;

/** A value whose text is in another charset than UTF-8. */
function valueIn(charset: string, codec: Codec, payload: Uint8Array): unknown {
  if (codec === form && payload.includes(PERCENT))
    throw LintelError.of("UNSUPPORTED_MEDIA_TYPE", `forms must be UTF-8, not ${charset}`);
  const read = readCharset(payload, charset);
  if (codec === text) return read;
  const utf8 = encodeUtf8(read);
  return codec.decode(utf8, 0, utf8.length);
}

/** True for types whose payloads are text, so that a charset says something of them. */
function isTextual(contentType: string): boolean {
  const type = bareType(contentType);
  return builtInFor(type) !== undefined || type.endsWith("xml");
}

/** The value without its bytes, unless a `content-type` calls them something else than what its codec writes. */
function valueMadeHere(message: Message, encoder: Codec, known: KnownCodecs | undefined): unknown {
  const { head, format, value } = message;
  if (head === "" || format !== Format.typed) return encoder.transfer(value);
  if (value === "") return undefined; // typed and empty: no value
  const codec = codecFor(findHeader(message.headText(), "content-type"), known);
  if (codec === encoder) return encoder.transfer(value);
  const payload = message.payload();
  if (payload.length === 0) return known === undefined ? undefined : emptyValue(message, known);
  return codec.decode(payload, 0, payload.length);
}

/** No value, unless the content type is one that says something with no bytes. */
function emptyValue(message: Message, known: KnownCodecs): unknown {
  const contentType = findHeader(message.headText(), "content-type");
  const codec = contentType === undefined ? undefined : known.find(contentType);
  return codec?.supports.empty === true ? codec.decode(NO_BYTES, 0, 0) : undefined;
}

/** The codec for a content type; without one it is JSON, and an unknown type is read as bytes. */
function codecFor(contentType: string | undefined, known: KnownCodecs | undefined): Codec {
  if (contentType === undefined) return json;
  return known?.find(contentType) ?? builtInFor(contentType) ?? bytes;
}

/** The codec every peer has for this content type. */
export function builtInFor(contentType: string): Codec | undefined {
  const type = bareType(contentType);
  if (type === json.contentType || type.endsWith("+json")) return json;
  if (type.startsWith("text/")) return text;
  return type === form.contentType ? form : undefined;
}

/** True when a payload of this type, of a message that says its type or says nothing, is read as JSON in UTF-8. */
export function isReadAsJson(contentType: string | undefined, payload: Uint8Array, start: number): boolean {
  if (contentType !== undefined && charsetOf(contentType) !== undefined) return false;
  const codec = contentType === undefined ? json : builtInFor(contentType);
  return codec === json || (codec === form && isJsonInForm(payload, start));
}

/** The type and subtype of a content type, in lower case. */
export function bareType(contentType: string): string {
  const semicolon = contentType.indexOf(";");
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}
