/** A short run of `npm run fuzz:text`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededInts } from "../../../src/testing/codec-fuzz.ts";
import { headerOf, openTextHub, OriginalText } from "./original-text.ts";
import { sendRandomMessages } from "./random-messages.ts";

test("random bodies and headers arrive as they were sent or are refused, and nothing else comes", async (t) => {
  await using hub = await openTextHub();
  const seed = Date.now() % 1_000_000_007;
  t.diagnostic(`seed ${seed}`);
  const { arrived, answered, refused } = await sendRandomMessages(hub.textUrl!, 2_000, seededInts(seed));
  assert.equal(arrived + answered + refused, 2_000);
  assert.ok(arrived > 500 && answered > 500 && refused > 50, JSON.stringify({ arrived, answered, refused }));
});

test("headers are limited by their bytes, whatever the characters", async () => {
  await using hub = await openTextHub();
  await using one = await OriginalText.dial(hub.textUrl!);
  one.tell("SUB", "limited");
  for (const [length, target] of [
    [10_000, "limited"],
    [12_000, "ERROR"],
  ] as const) {
    const frame = one.next();
    one.tell("PUB", "limited", [["x", "\u20ac".repeat(length)]]);
    assert.equal((await frame).target, target);
    if (target === "ERROR") assert.equal(headerOf(await frame, "reason"), "HEADERS_TOO_LARGE");
  }
});
