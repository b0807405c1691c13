/** Values as lines of JSON, for people and for programs. */
import { inOneLine } from "../codec/json-slices.ts";
import { JsonText } from "../codec/json-text.ts";
import { isReadAsJson } from "../codec/values.ts";

interface NamedValues {
  get(name: string): string | undefined;
}

/** A value that has arrived, in one line of JSON: as it was sent, if that was JSON, with every digit. */
export function jsonOf(value: unknown, headers: NamedValues, body: Uint8Array): string {
  const type = headers.get("content-type");
  const isJson = (type !== undefined || typeof value !== "string") && isReadAsJson(type, body, 0);
  return isJson ? inOneLine(Buffer.from(body).toString("utf8")) : JSON.stringify(value);
}

/** What a stream has brought, as bytes for a program: bytes as they are, values as a line of JSON each. */
export function chunkOf(value: unknown): Uint8Array | string {
  if (value instanceof Uint8Array) return value;
  if (value instanceof JsonText) return `${inOneLine(value.text)}\n`;
  return `${JSON.stringify(value) ?? "null"}\n`;
}
