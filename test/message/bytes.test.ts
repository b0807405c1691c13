import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { copyOf, viewOf } from "../../src/message/bytes.ts";

test("a copy is a plain array with the bytes of the part, and memory of its own", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(),
      fc.nat(),
      fc.boolean(),
      (array, a, b, asBuffer) => {
        const bytes = asBuffer ? Buffer.from(array) : array;
        const [start, end] = [a % (bytes.length + 1), b % (bytes.length + 1)].toSorted((x, y) => x - y) as [
          number,
          number,
        ];
        const expected = [...bytes].slice(start, end);
        const copy = copyOf(bytes, start, end);
        const view = viewOf(bytes, start, end);
        assert.equal(copy.constructor, Uint8Array);
        assert.deepEqual([...copy], expected);
        assert.deepEqual([...view], expected);
        bytes.fill(0x55);
        assert.deepEqual([...copy], expected);
        assert.ok(view.every((byte) => byte === 0x55));
      },
    ),
  );
});
