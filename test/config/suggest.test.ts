import assert from "node:assert/strict";
import { test } from "node:test";
import { closest } from "../../src/config/suggest.ts";

test("did you mean", () => {
  const names = ["timeout", "payload", "queue", "concurrency"];
  assert.equal(closest("timout", names), "timeout");
  assert.equal(closest("tiemout", names), "timeout");
  assert.equal(closest("QUEUE", names), "queue");
  assert.equal(closest("concurency", names), "concurrency");
  assert.equal(closest("banana", names), undefined);
  assert.equal(closest("", names), undefined);
});
