/** What the body of a request is that comes without a content type. */
import { isUtf8 } from "node:buffer";
import { deeperThan } from "../../codec/json-nesting.ts";
import { MAX_DEPTH } from "../../codec/refusal.ts";
import { findHeader } from "../../message/headers.ts";
import { Format } from "../../message/message.ts";

/** Longer bodies are not parsed to see whether they are JSON. Bytes. */
const MAX_PARSED = 1_048_576;

/**
 * How a body is to be read. With a content type, or empty, by its headers. Without one it is bytes (RFC 9110, section 8.3),
 * unless it is an object or array in JSON: then it is that, as with `curl -d`, which gives everything a wrong type. Decided
 * here for workers of every kind.
 */
export function formatOf(head: string, body: Uint8Array): Format {
  if (body.length === 0 || findHeader(head, "content-type") !== undefined) return Format.typed;
  return isJsonObject(body) ? Format.typed : Format.bytes;
}

function isJsonObject(body: Uint8Array): boolean {
  const opens = String.fromCharCode(body[edgeOf(body, 0, 1)]!);
  const closes = String.fromCharCode(body[edgeOf(body, body.length - 1, -1)]!);
  if (opens + closes !== "{}" && opens + closes !== "[]") return false;
  if (body.length > MAX_PARSED || deeperThan(MAX_DEPTH, body, 0, body.length) >= 0 || !isUtf8(body))
    return false;
  try {
    JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString());
    return true;
  } catch {
    return false;
  }
}

/** Where the first byte that is no white space of JSON lies, from one end. */
function edgeOf(body: Uint8Array, from: number, step: 1 | -1): number {
  let at = from;
  while (at >= 0 && at < body.length && [0x20, 0x09, 0x0a, 0x0d].includes(body[at]!)) at += step;
  return at >= 0 && at < body.length ? at : from;
}
