/** A short run of `npm run fuzz:text`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededInts } from "../../../src/testing/codec-fuzz.ts";
import { openTextHub } from "./original-text.ts";
import { sendRandomMessages } from "./random-messages.ts";

test("random bodies and headers arrive as they were sent or are refused, and nothing else comes", async (t) => {
  await using hub = await openTextHub();
  const seed = Date.now() % 1_000_000_007;
  t.diagnostic(`seed ${seed}`);
  const { arrived, answered, refused } = await sendRandomMessages(hub.textUrl!, 2_000, seededInts(seed));
  assert.equal(arrived + answered + refused, 2_000);
  assert.ok(arrived > 500 && answered > 500 && refused > 50, JSON.stringify({ arrived, answered, refused }));
});
