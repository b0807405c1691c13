import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration, parseSize } from "../../src/message/quantity.ts";

test("times", () => {
  const times: [text: string, ms: number | undefined][] = [
    ["250ms", 250],
    ["5s", 5_000],
    ["1.5m", 90_000],
    ["2 h", 7_200_000],
    ["40", 40],
    ["0.4ms", undefined],
    ["0", undefined],
    ["-1s", undefined],
    ["", undefined],
    ["s", undefined],
    ["5d", undefined],
    ["5sec", undefined],
    ["1e3", undefined],
    ["constructor", undefined],
    ["1constructor", undefined],
  ];
  for (const [text, ms] of times) assert.equal(parseDuration(text), ms, text);
  assert.equal(parseDuration("2", "s"), 2_000);
  assert.equal(parseDuration("0.5", "s"), 500);
  assert.equal(parseDuration("2ms", "s"), 2);
});

test("sizes", () => {
  const sizes: [text: string, bytes: number | undefined][] = [
    ["65536", 65_536],
    ["64KiB", 65_536],
    ["64kib", 65_536],
    ["1MB", 1_000_000],
    ["0.5 MiB", 524_288],
    ["1GiB", 1_073_741_824],
    ["1K", undefined],
    ["1M", undefined],
    ["0", undefined],
    ["999999999999999GiB", undefined],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes, text);
});
