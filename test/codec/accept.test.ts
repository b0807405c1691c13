import assert from "node:assert/strict";
import { test } from "node:test";
import { Wishes, acceptOf } from "../../src/codec/accept.ts";

test("the most specific range decides", () => {
  const wishes = new Wishes(
    "text/*;q=0.3, */*;q=0.1, text/html;level=1;q=0.9, Text/HTML ;q=0.7, image/png;q=0",
  );
  const rows: [type: string, weight: number][] = [
    ["text/html; level=1", 0.9],
    ["text/html", 0.7],
    ["text/plain; charset=utf-8", 0.3],
    ["application/json", 0.1],
    ["image/png", 0],
  ];
  for (const [type, weight] of rows) assert.equal(wishes.weightOf(type), weight, type);
  assert.equal(new Wishes("application/json").weightOf("application/xml"), 0);
});

test("what is no `accept` accepts nothing and harms nobody", () => {
  for (const text of [
    "",
    ",",
    ";;;",
    "q=1",
    "a/b;q=7",
    "x".repeat(30_000),
    ",".repeat(30_000),
    "a/b;".repeat(9_000),
  ]) {
    assert.equal(new Wishes(text).weightOf("application/json"), 0);
  }
});

test("what is told is understood, in order", () => {
  const types = ["application/msgpack", "application/protobuf;message=a.B", "application/json"];
  for (const count of [3, 40]) {
    const told = Array.from({ length: count }, (_, index) => types[index] ?? `application/x-${index}`);
    const wishes = new Wishes(acceptOf(told));
    const weights = told.slice(0, 32).map((type) => wishes.weightOf(type));
    assert.deepEqual(
      weights.toSorted((one, other) => other - one),
      weights,
    );
    assert.ok(weights.every((weight) => weight > 0 && weight <= 1));
  }
});
