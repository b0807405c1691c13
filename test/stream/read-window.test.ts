import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamEnd } from "../../src/message/message.ts";
import { ReadBudget, ReadWindow } from "../../src/stream/read-window.ts";
import { createStream } from "../../src/stream/stream-pair.ts";

test("what is read while credit is granted is granted once", () => {
  const [, end] = createStream({ sends: true, receives: false, messages: false });
  const granted: number[] = [];
  const grant = (bytes: number): void => {
    granted.push(bytes);
    if (granted.length < 3) window.read(20_000); // the sender has sent at once, and somebody was waiting for it
  };
  const window = new ReadWindow(
    Object.assign(Object.create(end) as StreamEnd, { grant }),
    65_536,
    new ReadBudget(),
  );
  window.read(10_000);
  assert.deepEqual(granted, [10_000, 20_000, 20_000]);
});
