/** How the suite speaks in each codec that a peer has to be given. */
import assert from "node:assert/strict";
import { fromJson, toJson } from "@bufbuild/protobuf";
import { StructSchema, type Struct } from "@bufbuild/protobuf/wkt";
import { eisenRequest, kv, msgpack, protobuf, xml, type EisenRequest } from "../../src/codec/index.ts";
import { BYTES_ENTRY, JSON_ENTRY, TEXT_ENTRY, type CodecEntry, type Note } from "../../src/testing/index.ts";

const { write, read } = JSON_ENTRY;

export const CODECS: readonly CodecEntry[] = [
  JSON_ENTRY,
  { name: "msgpack", codec: await msgpack(), write, read },
  { name: "xml", codec: await xml(), write, read },
  {
    name: "protobuf",
    codec: await protobuf(StructSchema),
    write: ({ n, text }) => fromJson(StructSchema, { n, text }),
    read: (value) => read(toJson(StructSchema, value as Struct)),
  },
  {
    name: "kv",
    codec: kv,
    write: ({ n, text }) => ({ n: [String(n)], text: [text] }),
    read: (value) => {
      const { n, text } = value as Record<keyof Note, readonly string[] | undefined>;
      assert.ok(n?.[0] !== undefined && text?.[0] !== undefined, "no note");
      return { n: Number(n[0]), text: text[0] };
    },
  },
  {
    name: "flatbuffers",
    codec: eisenRequest,
    write: ({ n, text }) => ({
      uri: `/${n}`,
      path: `/${n}`,
      method: "POST",
      contentType: "text/plain",
      content: Buffer.from(text),
    }),
    read: (value) => {
      const { path, content } = value as EisenRequest;
      return { n: Number(path.slice(1)), text: Buffer.from(content).toString("latin1") };
    },
  },
  TEXT_ENTRY,
  BYTES_ENTRY,
];
