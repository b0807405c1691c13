import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { json } from "../../src/codec/json.ts";
import { LintelError } from "../../src/message/failure.ts";

const isBadPayload = (error: unknown): boolean =>
  error instanceof LintelError && error.code === "invalid_argument" && error.reason === "BAD_PAYLOAD";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function decode(text: string): unknown {
  const bytes = bytesOf(`##${text}##`);
  return json.decode(bytes, 2, bytes.length - 2);
}

/** What a value becomes on a journey, by the platform's own means. */
function journey(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value) ?? "null");
}

/** What it gives, or that it refuses. */
function outcome(make: () => unknown): unknown {
  try {
    return { value: make() };
  } catch (error) {
    assert.ok(isBadPayload(error), String(error));
    return "refused";
  }
}

class Point {
  readonly x: number;
  readonly #hidden = 1;
  constructor(x: number) {
    this.x = x;
  }
  get sum(): number {
    return this.x + this.#hidden;
  }
}

const withProto = (value: unknown): unknown =>
  Object.defineProperty({}, "__proto__", { value, enumerable: true, configurable: true, writable: true });

const nested = (depth: number, key?: string): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = key === undefined ? [value] : { [key]: value };
  return value;
};

describe("transfer gives what a journey gives", () => {
  const { tree } = fc.letrec((tie) => ({
    leaf: fc.oneof(
      fc.anything({
        withDate: true,
        withBoxedValues: true,
        withSparseArray: true,
        withMap: true,
        withSet: true,
      }),
      fc.double(),
      fc.constantFrom<unknown>(undefined, NaN, -0, Infinity, -Infinity, null, Symbol("s"), () => 1),
      fc.date({ noInvalidDate: false }),
      fc.double().map((number) => new Point(number)),
      fc.string({ unit: "binary" }),
      fc.uint8Array({ maxLength: 4 }),
    ),
    object: fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("__proto__", "toJSON", "1", "")),
      tie("tree"),
      {
        maxKeys: 4,
      },
    ),
    array: fc.oneof(fc.array(tie("tree"), { maxLength: 4 }), fc.sparseArray(tie("tree"), { maxLength: 8 })),
    converted: tie("tree").map((value) => ({ toJSON: (key: string) => ({ key, value }) })),
    proto: tie("tree").map(withProto),
    boxed: fc.oneof(fc.double(), fc.string(), fc.boolean()).map((value): unknown => Object(value)),
    tree: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      tie("leaf"),
      tie("object"),
      tie("array"),
      tie("converted"),
      tie("proto"),
      tie("boxed"),
    ),
  }));

  test("for any value", () => {
    fc.assert(
      fc.property(tree, (value) => {
        assert.deepEqual(json.transfer(value), journey(value));
      }),
      { numRuns: 3_000 },
    );
  });

  test("for any value around the depth where it is refused", () => {
    const wrap = fc.tuple(
      fc.integer({ min: 92, max: 102 }),
      fc.option(fc.constantFrom("k", "__proto__"), { nil: undefined }),
    );
    fc.assert(
      fc.property(tree, wrap, (value, [depth, key]) => {
        let deep: unknown = value;
        for (let level = 0; level < depth; level++) {
          deep = key === undefined ? [deep] : key === "k" ? { k: deep } : withProto(deep);
        }
        assert.deepEqual(
          outcome(() => json.transfer(deep)),
          outcome(() => decode(json.encode(deep) as string)),
        );
      }),
      { numRuns: 500 },
    );
  });

  const sameShape: [name: string, value: unknown][] = [
    ["nothing", undefined],
    ["a function", () => 1],
    ["a function with toJSON", Object.assign(() => 1, { toJSON: () => "me" })],
    ["a symbol", Symbol("x")],
    ["holes and nothing in arrays", [undefined, , () => 1, Symbol("x"), NaN, -0]], // oxlint-disable-line no-sparse-arrays
    ["nothing in objects", { a: undefined, b: () => 1, c: Symbol("x"), d: null }],
    ["symbol keys", { [Symbol("x")]: 1, y: 2 }],
    ["dates", [new Date(0), new Date(NaN)]],
    ["boxed primitives", [Object(1), Object("a"), Object(false), Object(Symbol("x"))]],
    [
      "maps, sets, instances",
      [new Map([[1, 2]]), new Set([1]), new Point(3), /x/, new Error("e"), Buffer.from("a")],
    ],
    ["no prototype", Object.assign(Object.create(null) as object, { a: 1 })],
    ["inherited properties", Object.create({ inherited: 1 })],
    ["order of keys", { b: 1, 2: 1, a: 1, 1: 1 }],
    ["toJSON asked once", { toJSON: () => ({ toJSON: () => "twice", kept: 1 }) }],
    ["toJSON that is no method", { toJSON: 1, a: 2 }],
    ["toJSON that gives nothing", [{ toJSON: () => undefined }, { a: { toJSON: () => undefined } }]],
    [
      "toJSON of itself",
      {
        a: 1,
        toJSON() {
          return this;
        },
      },
    ],
    [
      "the key toJSON is told",
      { a: { toJSON: (key: string) => key }, b: [{ toJSON: (key: string) => key }] },
    ],
    ["shared, not cyclic", ((one: object) => [one, one, { one }])({ a: 1 })],
  ];
  for (const [name, value] of sameShape) {
    test(name, () => assert.deepEqual(json.transfer(value), journey(value)));
  }

  test("a __proto__ key stays a key", () => {
    const copy = json.transfer(JSON.parse('{"__proto__": {"admin": true}}')) as Record<string, unknown>;
    assert.equal(Object.getPrototypeOf(copy), Object.prototype);
    assert.equal(copy["admin"], undefined);
    assert.ok(Object.hasOwn(copy, "__proto__"));
  });
});

test("the copy shares no object with the original", () => {
  const collect = (value: unknown, seen: Set<object>): Set<object> => {
    if (typeof value === "object" && value !== null && !seen.has(value)) {
      seen.add(value);
      for (const key of Object.keys(value)) collect((value as Record<string, unknown>)[key], seen);
    }
    return seen;
  };
  fc.assert(
    fc.property(
      fc.anything({ withDate: true, withBoxedValues: true, maxDepth: 5 }),
      fc.boolean(),
      (value, viaToJson) => {
        const input = viaToJson ? { value, inner: { toJSON: () => value } } : value;
        const mine = collect(input, new Set());
        for (const theirs of collect(json.transfer(input), new Set())) assert.ok(!mine.has(theirs));
      },
    ),
  );
});

test("what cannot be written is refused, on both ways, with its cause", () => {
  const cyclic: Record<string, unknown> = { list: [] };
  (cyclic["list"] as unknown[]).push({ cyclic });
  const boom = {
    toJSON() {
      throw new RangeError("boom");
    },
  };
  const getter = {
    get a() {
      throw new Error("boom");
    },
  };
  const endless = { toJSON: () => ({ again: endless }) };
  for (const value of [cyclic, 1n, [1n], { a: Object(1n) }, boom, [boom], getter, endless]) {
    assert.throws(() => json.transfer(value), isBadPayload);
    assert.throws(() => json.encode(value), isBadPayload);
  }
  assert.throws(
    () => json.transfer(boom),
    (error) => (error as LintelError).cause instanceof RangeError,
  );
});

test("values deeper than 100 are refused, on both ways", () => {
  for (const key of [undefined, "a", "__proto__x"]) {
    assert.deepEqual(json.transfer(nested(100, key)), nested(100, key));
    assert.deepEqual(decode(json.encode(nested(100, key)) as string), nested(100, key));
    for (const depth of [101, 10_000]) {
      assert.throws(() => json.transfer(nested(depth, key)), isBadPayload);
      assert.throws(() => decode(json.encode(nested(depth, key)) as string), isBadPayload);
    }
  }
});

test("depth is counted outside of strings only", () => {
  const brackets = '[{"\\'.repeat(200);
  for (const value of [brackets, [brackets, { [brackets]: brackets }], ["]".repeat(300)]])
    assert.deepEqual(decode(json.encode(value) as string), value);
  const hidden = '["]}\\"]}",'.repeat(101) + "1" + "]".repeat(101);
  assert.equal((JSON.parse(hidden) as unknown[]).length, 2, "it is JSON");
  assert.throws(() => decode(hidden), /nested deeper than 100/);
  assert.equal((decode('["]}\\"]}",'.repeat(100) + "1" + "]".repeat(100)) as unknown[]).length, 2);
});

test("encode and decode are each other's inverse", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = journey(value);
      assert.deepEqual(decode(json.encode(plain) as string), plain);
    }),
  );
  assert.equal(json.encode(undefined), "null");
});

test("what is no JSON is refused, with the position where the platform tells it", () => {
  for (const text of [
    "",
    " ",
    "{",
    "[1,]",
    "{'a':1}",
    "undefined",
    "NaN",
    "01",
    '"\n"',
    "1 2",
    "\u0000",
    "{}}",
  ]) {
    assert.throws(() => decode(text), isBadPayload, JSON.stringify(text));
  }
  assert.throws(() => decode('{"a":1,}'), /position 7/);
  const malformed = Uint8Array.from([0x5b, 0xff, 0x5d]);
  assert.throws(() => json.decode(malformed, 0, 3), isBadPayload);
});

test("JSON a million deep is refused", () => {
  const depth = 1_000_000;
  for (const text of ["[".repeat(depth) + "]".repeat(depth), "[".repeat(depth), '{"a":'.repeat(depth)])
    assert.throws(() => decode(text), /nested deeper than 100/);
});

test("a __proto__ in received JSON is a key like any other", () => {
  const value = decode('{"__proto__":{"admin":true},"constructor":1}') as Record<string, unknown>;
  assert.equal(value["admin"], undefined);
  assert.deepEqual(Object.keys(value), ["__proto__", "constructor"]);
});
