/** A short run of what `npm run soak:text` does at length. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededInts } from "../../../src/testing/codec-fuzz.ts";
import { killResponders } from "./killed-responders.ts";
import { openTextHub } from "./original-text.ts";

test("responders are killed with requests in their hands: each request has one outcome", async (t) => {
  await using hub = await openTextHub("500ms");
  const seed = Date.now() % 1_000_000_007;
  t.diagnostic(`seed ${seed}`);
  const { answered, failed, killed } = await killResponders(hub.textUrl!, 1_000, seededInts(seed));
  assert.equal(answered + failed, 1_000);
  assert.ok(answered > 500 && failed > 0 && killed > 0, JSON.stringify({ answered, failed, killed }));
});
