/** Every codec, with what the suite and the fuzzer need to know of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import type * as FastCheck from "fast-check";
import { form } from "../../src/codec/form.ts";
import { eisenRequest, eisenResponse, kv, msgpack, protobuf, xml } from "../../src/codec/index.ts";
import { json } from "../../src/codec/json.ts";
import { bytes, text } from "../../src/codec/plain.ts";
import type { CodecSuiteOptions, CodecVectors } from "../../src/testing/index.ts";
import { root } from "../house/root.ts";

type Fc = typeof FastCheck;

export function readVectors(name: string): CodecVectors {
  return JSON.parse(
    readFileSync(join(root, "spec", "vectors", "codecs", `${name}.json`), "utf8"),
  ) as CodecVectors;
}

const utf8 = new TextEncoder();
const xmlValue = await xml();

export const CASES: Readonly<Record<string, CodecSuiteOptions>> = {
  json: {
    codec: json,
    nested: (depth) => utf8.encode("[".repeat(depth) + "]".repeat(depth)),
  },
  text: { codec: text, values: (fc) => fc.string({ unit: "binary" }) },
  bytes: { codec: bytes, values: (fc) => fc.uint8Array() },
  form: { codec: form, values: formFields },
  msgpack: {
    codec: await msgpack(),
    vectors: readVectors("msgpack"),
    nested: (depth) => Buffer.concat([Buffer.alloc(depth - 1, 0x91), Buffer.of(0x90)]),
    bombs: [
      // Each array claims a million items, and holds one.
      Buffer.concat(Array.from({ length: 2_000 }, () => Buffer.of(0xdd, 0, 0x0f, 0xff, 0xff))),
      Buffer.concat([Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff), Buffer.alloc(10_000, 0x80)]),
    ],
  },
  xml: {
    codec: xmlValue,
    vectors: readVectors("xml"),
    nested: (depth) => utf8.encode("<a>".repeat(depth) + "</a>".repeat(depth)),
    bombs: [laughs(), utf8.encode("<a ".repeat(5_000)), utf8.encode("<!--".repeat(5_000))],
  },
  "xml documents": {
    codec: await xml({ style: "document" }),
    values: documents,
    vectors: readVectors("xml-document"),
  },
  kv: {
    codec: kv,
    values: (fc) =>
      fc.dictionary(fc.string({ unit: "binary", maxLength: 9 }), fc.array(fc.string({ unit: "binary" }))),
    vectors: readVectors("kv"),
  },
  "protobuf Struct": {
    codec: await protobuf(StructSchema),
    values: (fc) => fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()).map(structOf),
    vectors: readVectors("protobuf-struct"),
    fromVector: (value) => fromJson(StructSchema, value as JsonValue),
    nested: nestedGroups,
  },
  "protobuf FileDescriptorProto": {
    codec: await protobuf(FileDescriptorProtoSchema),
    values: (fc) =>
      fc
        .record({
          name: fc.string(),
          dependency: fc.array(fc.string()),
          publicDependency: fc.array(fc.integer()),
        })
        .map((fields) => create(FileDescriptorProtoSchema, fields)),
  },
  eisenRequest: {
    codec: eisenRequest,
    values: (fc) =>
      fc.record({
        uri: wellFormed(fc),
        path: wellFormed(fc),
        method: wellFormed(fc),
        contentType: wellFormed(fc),
        content: fc.uint8Array({ maxLength: 300 }),
      }),
    vectors: readVectors("eisen-request"),
  },
  eisenResponse: {
    codec: eisenResponse,
    values: (fc) =>
      fc.record({
        status: fc.oneof(fc.constant(0), fc.integer()),
        headers: fc.array(fc.tuple(wellFormed(fc), wellFormed(fc)), { maxLength: 6 }),
        content: fc.uint8Array({ maxLength: 300 }),
      }),
    vectors: readVectors("eisen-response"),
    bombs: [sharedHeaders()],
  },
};

function wellFormed(fc: Fc): FastCheck.Arbitrary<string> {
  return fc.string({ unit: "binary", maxLength: 40 });
}

function structOf(value: Record<string, unknown>): unknown {
  return fromJson(StructSchema, value as JsonValue);
}

/** Not like JSON in its first character: what begins so is read as JSON. */
function formFields(fc: Fc): FastCheck.Arbitrary<unknown> {
  return fc.dictionary(
    fc.string({ unit: "grapheme", minLength: 1 }).map((name) => `f${name}`),
    fc.string({ unit: "grapheme" }),
    { noNullPrototype: true, minKeys: 1 },
  );
}

/** Documents as they are read: no list of one, no empty objects. */
function documents(fc: Fc): FastCheck.Arbitrary<unknown> {
  const name = fc.string({ unit: fc.constantFrom(..."abcXYZ"), minLength: 1, maxLength: 3 });
  const content = fc.string({ unit: fc.constantFrom(..."ab<>&\"'\n\ré ") }).map((some) => `x${some}x`);
  const { element } = fc.letrec<{ element: unknown }>((tie) => ({
    element: fc.oneof(
      { maxDepth: 3 },
      content,
      fc
        .tuple(
          fc.dictionary(
            name.map((key) => `@${key}`),
            content,
            { minKeys: 1, maxKeys: 2, noNullPrototype: true },
          ),
          fc.dictionary(
            name,
            fc.oneof(tie("element"), fc.array(tie("element"), { minLength: 2, maxLength: 3 })),
            {
              maxKeys: 3,
              noNullPrototype: true,
            },
          ),
        )
        .map(([attributes, children]) => ({ ...attributes, ...children })),
    ),
  }));
  return fc.tuple(name, element).map(([key, value]) => ({ [key]: value }));
}

function laughs(): Uint8Array {
  const entities = Array.from(
    { length: 10 },
    (_, index) => `<!ENTITY l${index + 1} "${`&l${index};`.repeat(10)}">`,
  );
  return utf8.encode(`<!DOCTYPE l [<!ENTITY l0 "ha">${entities.join("")}]><l>&l10;</l>`);
}

/** Unknown groups in groups: the one thing of the format that nests without a length. */
function nestedGroups(depth: number): Uint8Array {
  const groups = Math.max(0, depth - 1);
  return Buffer.concat([Buffer.alloc(groups, 0x7b), Buffer.alloc(groups, 0x7c)]);
}

/** A thousand headers that are all one header, whose name is a thousand characters. */
function sharedHeaders(): Uint8Array {
  const one = Buffer.from(
    eisenResponse.encode({
      status: 0,
      headers: [["n".repeat(1_000), "v"]],
      content: new Uint8Array(0),
    }) as Uint8Array,
  );
  const vector = 32;
  const table = vector + 4 + one.readUInt32LE(vector + 4);
  const count = 1_000;
  const bomb = Buffer.concat([one, Buffer.alloc(4 + count * 4)]);
  bomb.writeUInt32LE(one.length - 24, 24);
  bomb.writeUInt32LE(count, one.length);
  for (let index = 0; index < count; index++) {
    const at = one.length + 4 + index * 4;
    bomb.writeUInt32LE((table - at) >>> 0, at);
  }
  return bomb;
}
