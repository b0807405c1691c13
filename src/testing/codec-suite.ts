/** What every codec must do. Gated by its `supports` manifest, never by its name. Needs the package `fast-check`. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type * as FastCheck from "fast-check";
import type { Codec } from "../codec/codec.ts";
import { LintelError } from "../message/failure.ts";
import { encodeBody } from "../message/message.ts";
import { fuzzCodec, probe, seededInts } from "./codec-fuzz.ts";
import { comparable, oddValues, revive, valuesOf } from "./codec-values.ts";

/** Bytes and what they say. Data for every language: see `spec/vectors/codecs`. */
export interface CodecVectors {
  readonly values: readonly CodecVector[];
  readonly malformed: readonly MalformedVector[];
}

export interface CodecVector {
  readonly name: string;
  readonly hex: string;
  /** JSON, with `$bytes`, `$date`, `$bigint` and `$number` for what JSON does not have. */
  readonly value: unknown;
  /** True when others write it so, and we do not. */
  readonly decodeOnly?: boolean;
}

export interface MalformedVector {
  readonly name: string;
  readonly hex: string;
  /** The offset that the error names. */
  readonly offset?: number;
}

export interface CodecSuiteOptions {
  readonly codec: Codec;
  /** Values that come back as they were. Needed when the manifest names no kinds. */
  readonly values?: (fc: typeof FastCheck) => FastCheck.Arbitrary<unknown>;
  readonly vectors?: CodecVectors;
  /** Makes a value of a vector; for codecs whose values are of classes. */
  readonly fromVector?: (value: unknown) => unknown;
  /** A payload nested this deep, for codecs whose depth is bounded. */
  readonly nested?: (depth: number) => Uint8Array;
  /** Payloads that are no mistakes, yet much work for a careless reader. */
  readonly bombs?: readonly Uint8Array[];
  /** How many payloads the fuzzer tries. Default 3,000. */
  readonly fuzzRuns?: number;
}

const FUZZ_RUNS = 3_000;
/** Longest payload that is cut at every byte. */
const MAX_CUT = 256;
const FUZZ_SEED = 20_251;
const NOISE = Buffer.from("noise");

/** Declares the suite for one codec, as tests of `node:test`. */
export function codecSuite(name: string, options: CodecSuiteOptions): void {
  describe(`codec ${name}`, () => {
    carrying(options);
    vectors(options);
    hostile(options);
  });
}

function bytesFor(codec: Codec, value: unknown): Uint8Array {
  return encodeBody(codec, value);
}

/** Decoded where payloads are found: amid other bytes. */
function decodeAmid(codec: Codec, payload: Uint8Array): unknown {
  const bytes = Buffer.concat([NOISE, payload, NOISE]);
  return codec.decode(bytes, NOISE.length, NOISE.length + payload.length);
}

type Outcome = { readonly value: unknown } | { readonly refused: true };

/** A value, or `BAD_PAYLOAD`; anything else that is thrown fails the test. */
function outcomeOf(run: () => unknown): Outcome {
  try {
    return { value: comparable(run()) };
  } catch (error) {
    if (isBadPayload(error)) return { refused: true };
    throw error;
  }
}

function isBadPayload(error: unknown): boolean {
  return error instanceof LintelError && error.reason === "BAD_PAYLOAD" && error.code === "invalid_argument";
}

function arbitraryOf(
  fc: typeof FastCheck,
  { codec, values }: CodecSuiteOptions,
): FastCheck.Arbitrary<unknown> {
  if (values !== undefined) return values(fc);
  assert.ok(
    codec.supports.kinds.length > 0,
    "a codec with a shape of its own needs values to be tested with",
  );
  return valuesOf(fc, codec.supports.kinds, codec.supports.refusedKeys);
}

function carrying(options: CodecSuiteOptions): void {
  const { codec } = options;

  test("has a content type and a manifest that make sense", () => {
    assert.match(codec.contentType, /^[a-z]+\/[a-z0-9.+-]+(?:; ?[a-z]+=[A-Za-z0-9._-]+)*$/);
    for (const alias of codec.aliases ?? []) assert.match(alias, /^(?:[a-z]+\/|\+)[a-z0-9.-]+$/);
    assert.ok(codec.supports.depth >= 0);
  });

  test("values come back as they were", async () => {
    const fc = await import("fast-check");
    fc.assert(
      fc.property(arbitraryOf(fc, options), (value) => {
        const payload = bytesFor(codec, value);
        assert.equal(payload.length === 0 && !codec.supports.empty, false, "no bytes would be no value");
        assert.deepEqual(comparable(decodeAmid(codec, payload)), comparable(value));
      }),
      { numRuns: 400 },
    );
  });

  test("`transfer` gives what a journey gives, for values it carries and for others", async () => {
    const fc = await import("fast-check");
    const own = arbitraryOf(fc, options);
    // Those that are not strict are chosen by the kind of the value, and never see another.
    const any = codec.supports.strict ? fc.oneof(own, oddValues(fc)) : own;
    fc.assert(
      fc.property(any, (value) => {
        const journey = outcomeOf(() => decodeAmid(codec, bytesFor(codec, value)));
        assert.deepEqual(
          outcomeOf(() => codec.transfer(value)),
          journey,
        );
      }),
      { numRuns: 600 },
    );
  });

  test("what `transfer` gives shares nothing with the value", { skip: sharesBytes(codec) }, async () => {
    const fc = await import("fast-check");
    fc.assert(
      fc.property(arbitraryOf(fc, options), (value) => {
        const original = objectsIn(value);
        for (const object of objectsIn(codec.transfer(value))) assert.ok(!original.has(object));
      }),
      { numRuns: 100 },
    );
  });

  test(
    "keys that name parts of every object are keys like any other, or refused",
    { skip: lacks(codec, "object") },
    () => {
      for (const key of ["__proto__", "constructor"]) {
        const value: unknown = JSON.parse(`{"${key}":{"polluted":true,"prototype":{"polluted":true}}}`);
        if (codec.supports.refusedKeys?.includes(key) === true) {
          assert.throws(() => codec.encode(value), isBadPayload);
          assert.throws(() => codec.transfer(value), isBadPayload);
          continue;
        }
        for (const arrived of [decodeAmid(codec, bytesFor(codec, value)), codec.transfer(value)]) {
          assert.equal(Object.getPrototypeOf(arrived), Object.prototype);
          assert.deepEqual(Object.keys(arrived as object), [key]);
          assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
        }
      }
    },
  );

  test("a value that contains itself is refused", { skip: lacks(codec, "array") }, () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    assert.throws(() => codec.encode(cycle), isBadPayload);
    assert.throws(() => codec.transfer(cycle), isBadPayload);
  });

  test("values as deep as it says, and no deeper", { skip: endless(codec) ?? lacks(codec, "array") }, () => {
    const deep = (depth: number): unknown => (depth === 0 ? [] : [deep(depth - 1)]);
    const deepest = deep(codec.supports.depth - 1);
    assert.deepEqual(decodeAmid(codec, bytesFor(codec, deepest)), deepest);
    assert.throws(() => codec.transfer([deepest]), isBadPayload);
    assert.throws(
      () => decodeAmid(codec, bytesFor(codec, [deepest])),
      isBadPayload,
      "refused by who writes or reads",
    );
  });
}

function lacks(codec: Codec, kind: "array" | "object"): string | false {
  return codec.supports.kinds.includes(kind) ? false : `it carries no ${kind} of any content`;
}

function endless(codec: Codec): string | undefined {
  return Number.isFinite(codec.supports.depth) ? undefined : "it bounds no depth";
}

function sharesBytes(codec: Codec): string | false {
  return codec.supports.strict || codec.supports.depth > 0 ? false : "it hands values over as they are";
}

function objectsIn(value: unknown, seen = new Set<unknown>()): Set<unknown> {
  if (typeof value !== "object" || value === null || seen.has(value)) return seen;
  seen.add(value);
  if (!(value instanceof Uint8Array)) for (const item of Object.values(value)) objectsIn(item, seen);
  return seen;
}

function vectors({ codec, vectors: data, fromVector = revive }: CodecSuiteOptions): void {
  for (const { name, hex, value, decodeOnly = false } of data?.values ?? []) {
    test(`vector: ${name}`, () => {
      const payload = Buffer.from(hex, "hex");
      const expected = fromVector(value);
      assert.deepEqual(comparable(decodeAmid(codec, payload)), comparable(expected));
      if (!decodeOnly) assert.equal(Buffer.from(bytesFor(codec, expected)).toString("hex"), hex);
      for (let length = 0; length < payload.length; length++) probe(codec, payload.subarray(0, length));
    });
  }
  for (const { name, hex, offset } of data?.malformed ?? []) {
    test(`refused: ${name}`, () => {
      const payload = Buffer.from(hex, "hex");
      assert.throws(
        () => decodeAmid(codec, payload),
        (error) => {
          assert.ok(isBadPayload(error), String(error));
          if (offset !== undefined)
            assert.match((error as LintelError).message, new RegExp(`at offset ${offset}$`));
          return true;
        },
      );
      assert.equal(probe(codec, payload), false);
    });
  }
}

function hostile(options: CodecSuiteOptions): void {
  const { codec, nested, bombs = [], fuzzRuns = FUZZ_RUNS } = options;
  const { supports } = codec;

  test("a payload cut short anywhere is a value or refused, and so is one that goes on", async () => {
    const samples = await samplesOf(options, 60);
    for (const payload of samples.filter(({ length }) => length <= MAX_CUT)) {
      for (let length = 0; length < payload.length; length++) probe(codec, payload.subarray(0, length));
      for (const more of [0, 0x20, 0x41, 0xff]) probe(codec, Buffer.concat([payload, Buffer.of(more)]));
    }
  });

  test(
    "payloads nested too deep are refused, however deep",
    { skip: nested === undefined && "none were given" },
    () => {
      if (nested === undefined) return;
      assert.equal(probe(codec, nested(supports.depth - 1)), true);
      for (const depth of [supports.depth + 1, 1_000, 10_000])
        assert.equal(probe(codec, nested(depth)), false);
      assert.throws(() => decodeAmid(codec, nested(100_000)), isBadPayload);
    },
  );

  test(
    "payloads that are much work for few bytes are refused",
    { skip: bombs.length === 0 && "none were given" },
    () => {
      for (const bomb of bombs) assert.equal(probe(codec, bomb), false);
    },
  );

  test("changed payloads give a value or BAD_PAYLOAD, soon and without much memory", async () => {
    const seed = Number(process.env["FUZZ_SEED"] ?? FUZZ_SEED);
    try {
      const payloads = await samplesOf(options, 100);
      const { decoded, refused } = fuzzCodec(codec, payloads, seededInts(seed), (done) => done < fuzzRuns);
      assert.equal(decoded + refused, fuzzRuns);
      if (supports.strict) assert.ok(refused > 0 && decoded > 0, `${decoded} decoded, ${refused} refused`);
    } catch (error) {
      throw new Error(`with FUZZ_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  });
}

/** Good payloads: of the vectors, and of random values. */
export async function samplesOf(options: CodecSuiteOptions, count: number): Promise<Uint8Array[]> {
  const fc = await import("fast-check");
  const values = fc.sample(arbitraryOf(fc, options), { numRuns: count, seed: FUZZ_SEED });
  const known = (options.vectors?.values ?? []).map(({ hex }) => Buffer.from(hex, "hex"));
  return [...known, ...values.map((value) => bytesFor(options.codec, value))];
}
