import assert from "node:assert/strict";
import { json } from "../../codec/json.ts";
import { bytes, text } from "../../codec/plain.ts";
import type { CodecEntry, Note } from "./entries.ts";

/** The codecs that every peer has. */
export const JSON_ENTRY: CodecEntry = {
  name: "json",
  codec: json,
  write: (note) => note,
  read: (value) => {
    assert.ok(typeof value === "object" && value !== null && "n" in value && "text" in value, "no note");
    assert.ok(typeof value.n === "number" && typeof value.text === "string", "no note");
    return { n: value.n, text: value.text };
  },
};

export const TEXT_ENTRY: CodecEntry = {
  name: "text",
  codec: text,
  implied: true,
  write: noteAsText,
  read: (value) => {
    assert.ok(typeof value === "string", "no text");
    return textAsNote(value);
  },
};

export const BYTES_ENTRY: CodecEntry = {
  name: "bytes",
  codec: bytes,
  implied: true,
  write: (note) => Buffer.from(noteAsText(note)),
  read: (value) => {
    assert.ok(value instanceof Uint8Array, "no bytes");
    return textAsNote(Buffer.from(value).toString("latin1"));
  },
};

/** For codecs that carry a text. */
export function noteAsText({ n, text: words }: Note): string {
  return `${n}:${words}`;
}

export function textAsNote(written: string): Note {
  const colon = written.indexOf(":");
  assert.ok(colon > 0, "no note");
  return { n: Number(written.slice(0, colon)), text: written.slice(colon + 1) };
}
