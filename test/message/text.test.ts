import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import * as withBuffer from "../../src/message/text.ts";

type TextModule = typeof withBuffer;

/** The module as it is where there is no Buffer. */
async function importWithoutBuffer(): Promise<TextModule> {
  const kept = globalThis.Buffer;
  Reflect.deleteProperty(globalThis, "Buffer");
  try {
    const url = new URL("../../src/message/text.js?without-buffer", import.meta.url);
    return (await import(url.href)) as TextModule;
  } finally {
    globalThis.Buffer = kept;
  }
}

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.string({ unit: "binary-ascii", maxLength: 60 }),
  fc
    .array(fc.constantFrom("\ud800", "\udc00", "\udfff", "\u{1f600}", "a", "é", "\ufeff", "\u0000"), {
      maxLength: 40,
    })
    .map((units) => units.join("")),
);

function check(load: () => TextModule): void {
  test("writes what TextEncoder writes, at any offset, and nothing around it", () => {
    const { maxUtf8Length, writeUtf8, encodeUtf8 } = load();
    fc.assert(
      fc.property(anyText, fc.nat(9), (text, offset) => {
        const expected = new TextEncoder().encode(text);
        const room = maxUtf8Length(text);
        assert.ok(expected.length <= room);
        const bytes = new Uint8Array(offset + room + 4).fill(0xee);
        assert.equal(writeUtf8(bytes, text, offset), expected.length);
        assert.deepEqual([...bytes.subarray(offset, offset + expected.length)], [...expected]);
        assert.ok(bytes.subarray(0, offset).every((byte) => byte === 0xee));
        assert.ok(bytes.subarray(offset + room).every((byte) => byte === 0xee));
        assert.deepEqual([...encodeUtf8(text)], [...expected]);
      }),
      { numRuns: 1_000 },
    );
  });

  test("text comes back, lone surrogates as U+FFFD, a byte order mark as it is", () => {
    const { encodeUtf8, readUtf8 } = load();
    fc.assert(
      fc.property(anyText, (text) => {
        const bytes = encodeUtf8(`<${text}>`);
        const wellFormed = text.replaceAll(/\p{Surrogate}/gu, "\ufffd");
        assert.equal(readUtf8(bytes, 1, bytes.length - 1), wellFormed);
      }),
      { numRuns: 1_000 },
    );
    assert.equal(readUtf8(new Uint8Array(4), 2, 2), "");
  });

  test("malformed bytes read as the standard says", () => {
    const { readUtf8 } = load();
    const standard = new TextDecoder("utf-8", { ignoreBOM: true });
    const byte = fc.oneof(
      fc.constantFrom(0xc0, 0xc3, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0xff, 0x41),
      fc.nat(255),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 24 }), (values) => {
        const bytes = Uint8Array.from(values);
        assert.equal(readUtf8(bytes, 0, bytes.length), standard.decode(bytes));
      }),
      { numRuns: 1_000 },
    );
  });
}

describe("with Buffer", () => check(() => withBuffer));

describe("without Buffer", () => {
  let loaded: TextModule | undefined;
  before(async () => {
    loaded = await importWithoutBuffer();
    assert.equal(typeof Buffer, "function", "Buffer is back");
  });
  after(() => assert.notEqual(loaded, withBuffer));
  check(() => loaded!);
});
