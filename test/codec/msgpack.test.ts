/** Our MessagePack against the one of the msgpack organisation. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as theirs from "@msgpack/msgpack";
import * as fastCheck from "fast-check";
import { msgpack } from "../../src/codec/msgpack.ts";
import { comparable, valuesOf } from "../../src/testing/codec-values.ts";

/** What both hold the same way: theirs refuses a `__proto__`, and writes -0 as 0. */
const kinds = ["null", "boolean", "number", "string", "bytes", "date"] as const;
const common = valuesOf(fastCheck, kinds).filter((value) => !JSON.stringify(value).includes("__proto__"));

test("what we write, others read", () => {
  fastCheck.assert(
    fastCheck.property(common, (value) => {
      const payload = msgpack.encode(value) as Uint8Array;
      assert.deepEqual(comparable(theirs.decode(payload)), comparable(value));
    }),
    { numRuns: 500 },
  );
});

test("what others write, we read, and write the same", () => {
  fastCheck.assert(
    fastCheck.property(common, (value) => {
      const payload = theirs.encode(value);
      assert.deepEqual(comparable(msgpack.decode(payload, 0, payload.length)), comparable(value));
      assert.deepEqual(Buffer.from(msgpack.encode(value) as Uint8Array), Buffer.from(payload));
    }),
    { numRuns: 500 },
  );
});
