/** Dates in all their forms, as the specification of MessagePack and ISO 8601 have them, at the edges of what a Date can be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { msgpack, xml } from "../../src/codec/index.ts";
import type { Codec } from "../../src/codec/index.ts";

const codecs: readonly Codec[] = [await msgpack(), await xml()];
const [packed, marked] = codecs as [Codec, Codec];

const MAX = 8_640_000_000_000_000;

/** Timestamp 32, 64 and 96, each in the form that the specification has for its length. */
function stamp32(seconds: number): Buffer {
  const bytes = Buffer.from("d6ff00000000", "hex");
  bytes.writeUInt32BE(seconds, 2);
  return bytes;
}
function stamp64(seconds: number, nanoseconds: number): Buffer {
  const bytes = Buffer.from("d7ff0000000000000000", "hex");
  bytes.writeBigUInt64BE((BigInt(nanoseconds) << 34n) | BigInt(seconds), 2);
  return bytes;
}
function stamp96(seconds: bigint, nanoseconds: number): Buffer {
  const bytes = Buffer.from("c70cff000000000000000000000000", "hex");
  bytes.writeUInt32BE(nanoseconds, 3);
  bytes.writeBigInt64BE(seconds, 7);
  return bytes;
}

const READ: readonly (readonly [name: string, bytes: Buffer, time: number])[] = [
  ["32: zero", stamp32(0), 0],
  ["32: the last second", stamp32(0xffff_ffff), 0xffff_ffff * 1_000],
  ["64: zero", stamp64(0, 0), 0],
  ["64: a millisecond", stamp64(1, 1_000_000), 1_001],
  ["64: the last nanosecond of a second", stamp64(1, 999_999_999), 1_999],
  ["64: less than a millisecond", stamp64(1, 999_999), 1_000],
  ["64: the last second", stamp64(0x3_ffff_ffff, 999_999_999), 0x3_ffff_ffff * 1_000 + 999],
  ["96: zero", stamp96(0n, 0), 0],
  ["96: a second before 1970", stamp96(-1n, 0), -1_000],
  ["96: a nanosecond before 1970", stamp96(-1n, 999_999_999), -1],
  ["96: a nanosecond after a second before 1970", stamp96(-1n, 1), -1_000],
  ["96: half a millisecond after it", stamp96(-1n, 500_000), -1_000],
  ["96: a millisecond after it", stamp96(-1n, 1_000_000), -999],
  ["96: long before 1970", stamp96(-62_135_596_800n, 123_456_789), -62_135_596_800_000 + 123],
  ["96: what a Date begins with", stamp96(-8_640_000_000_000n, 0), -MAX],
  ["96: a nanosecond later", stamp96(-8_640_000_000_000n, 1), -MAX],
  ["96: what a Date ends with", stamp96(8_640_000_000_000n, 0), MAX],
  ["96: less than a millisecond after that", stamp96(8_640_000_000_000n, 999_999), MAX],
];

test("msgpack: every form of a timestamp is the millisecond it lies in", () => {
  for (const [name, bytes, time] of READ) {
    for (const padding of [0, 3]) {
      const padded = Buffer.concat([Buffer.alloc(padding, 0xc0), bytes, Buffer.alloc(padding, 0xc0)]);
      const date = packed.decode(padded, padding, padding + bytes.length);
      assert.ok(date instanceof Date, name);
      assert.equal(date.getTime(), time, name);
      assert.ok(!Object.is(date.getTime(), -0), name);
    }
  }
});

const REFUSED: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["64: a second of nanoseconds", stamp64(0, 1_000_000_000)],
  ["64: as many as fit", stamp64(0, 2 ** 30 - 1)],
  ["96: a second of nanoseconds", stamp96(0n, 1_000_000_000)],
  ["96: as many as fit", stamp96(0n, 0xffff_ffff)],
  ["96: before 1970", stamp96(-1n, 1_000_000_000)],
  ["96: a millisecond past the end", stamp96(8_640_000_000_000n, 1_000_000)],
  ["96: a second past the end", stamp96(8_640_000_000_001n, 0)],
  ["96: a second before the beginning", stamp96(-8_640_000_000_001n, 0)],
  ["96: just before the beginning", stamp96(-8_640_000_000_001n, 999_999_999)],
  ["96: the largest second", stamp96(2n ** 63n - 1n, 0)],
  ["96: the smallest second", stamp96(-(2n ** 63n), 0)],
  ...[0, 1, 2, 3, 5, 9, 11, 13, 16].map(
    (length) =>
      [`${length} bytes`, Buffer.concat([Buffer.of(0xc7, length, 0xff), Buffer.alloc(length)])] as const,
  ),
];

test("msgpack: a timestamp that is none is refused, at any place", () => {
  for (const [name, bytes] of REFUSED) {
    const places = [
      bytes,
      Buffer.concat([Buffer.of(0x91), bytes]),
      Buffer.concat([Buffer.from("81a161", "hex"), bytes]),
    ];
    for (const payload of places)
      assert.throws(() => packed.decode(payload, 0, payload.length), { reason: "BAD_PAYLOAD" }, name);
  }
});

const TIMES = [
  0,
  1,
  -1,
  999,
  -999,
  1_000,
  -1_000,
  -1_001,
  1_700_000_000_123,
  -62_135_596_800_000,
  0xffff_ffff * 1_000,
  0xffff_ffff * 1_000 + 1,
  0x1_0000_0000 * 1_000,
  0x3_ffff_ffff * 1_000 + 999,
  0x4_0000_0000 * 1_000,
  MAX,
  MAX - 1,
  -MAX,
  -MAX + 1,
];

for (const codec of codecs) {
  test(`${codec.name}: dates come back as they were`, () => {
    for (const time of TIMES) {
      const payload = Buffer.from(codec.encode({ at: new Date(time) }));
      const back = codec.decode(payload, 0, payload.length) as { at: Date };
      assert.equal(back.at.getTime(), time);
      assert.equal((codec.transfer(new Date(time)) as Date).getTime(), time);
    }
    for (const date of [new Date(NaN), new Date(MAX + 1)])
      assert.throws(() => codec.encode([date]), { reason: "BAD_PAYLOAD" });
  });
}

test("msgpack: dates are written in the shortest form there is", () => {
  const written = (time: number): string => Buffer.from(packed.encode(new Date(time))).toString("hex");
  assert.equal(written(0xffff_ffff * 1_000), stamp32(0xffff_ffff).toString("hex"));
  assert.equal(written(1_001), stamp64(1, 1_000_000).toString("hex"));
  assert.equal(written(0x3_ffff_ffff * 1_000 + 999), stamp64(0x3_ffff_ffff, 999_000_000).toString("hex"));
  assert.equal(written(0x4_0000_0000 * 1_000), stamp96(0x4_0000_0000n, 0).toString("hex"));
  assert.equal(written(-1), stamp96(-1n, 999_000_000).toString("hex"));
  assert.equal(written(-MAX), stamp96(-8_640_000_000_000n, 0).toString("hex"));
});

test("xml: a date that no calendar has is refused", () => {
  const read = (text: string): unknown => {
    const payload = Buffer.from(`<value xmlns="urn:lintel:value" type="date">${text}</value>`);
    return marked.decode(payload, 0, payload.length);
  };
  for (const text of [
    "2024-02-29T00:00:00Z",
    "2024-12-31T23:59:59.999999999+14:00",
    "+002024-02-29T12:00:00Z",
    "-000001-12-31T00:00:00.000Z",
    "+275760-09-13T00:00:00Z",
  ])
    assert.ok(read(text) instanceof Date, text);
  for (const text of [
    "2023-02-29T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "2024-04-31T00:00:00Z",
    "2024-00-01T00:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-01-00T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T25:00:00Z",
    "2024-01-01T23:60:00Z",
    "2024-01-01T23:59:60Z",
    "2024-01-01",
    "1 January 2024",
    "+275760-09-13T00:00:00.001Z",
  ])
    assert.throws(() => read(text), { reason: "BAD_PAYLOAD" }, text);
});
