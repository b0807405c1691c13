import assert from "node:assert/strict";
import { test } from "node:test";
import { outcome, startHub, startPeer } from "./harness.ts";

test("a session cannot have more requests in flight than its limit; others are not affected", async () => {
  const hub = await startHub("tcp://127.0.0.1:0", { limits: { sessionInFlight: 3 } });
  const { peer: greedy } = await startPeer(hub.urls[0]!);
  const { peer: modest } = await startPeer(hub.urls[0]!);
  const release: (() => void)[] = [];
  await hub.serve("held", () => new Promise<string>((resolve) => release.push(() => resolve("done"))));
  const calls = Array.from({ length: 5 }, () => outcome(greedy.request("held")));
  const other = outcome(modest.request("held"));
  assert.deepEqual(await Promise.all(calls.slice(3)), ["IN_FLIGHT_FULL", "IN_FLIGHT_FULL"]);
  while (release.length < 4) await new Promise((resolve) => setImmediate(resolve));
  for (const answer of release) answer();
  assert.deepEqual(await Promise.all([...calls.slice(0, 3), other]), ["done", "done", "done", "done"]);
  assert.equal(await outcome(greedy.request("held", undefined, { timeoutMs: 1 })), "DEADLINE");
  await Promise.all([greedy.close(), modest.close()]);
  await hub.close();
});
