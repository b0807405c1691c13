import { json } from "../../../codec/json.ts";
import { builtInFor } from "../../../codec/values.ts";
import { findHeader } from "../../../message/headers.ts";
import { Format, type Message } from "../../../message/message.ts";

/** What a payload is, by its format and content type, without reading it. */
export function payloadKind(message: Message): "json" | "text" | "bytes" | "other" {
  if (message.format === Format.text) return "text";
  if (message.format === Format.bytes) return "bytes";
  const contentType = findHeader(message.headText(), "content-type");
  if (contentType === undefined) return "json";
  const codec = builtInFor(contentType);
  return codec === undefined ? "other" : codec === json ? "json" : "text";
}
