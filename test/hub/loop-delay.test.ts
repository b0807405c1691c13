import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../house/until.ts";
import { createHub } from "../../src/hub/hub.ts";

test("a hub whose loop was blocked says so, once", async () => {
  const hub = await createHub({ http: false, listen: [] });
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 15));
  await turn();
  const end = performance.now() + 300;
  while (performance.now() < end); // blocked
  await turn();
  const { max, p99 } = hub.stats().loopDelay;
  assert.ok(max >= 250, `${max} ms`);
  assert.ok(p99 >= 0 && p99 <= max + 1, `${p99} ms`); // the buckets of a histogram
  // A busy machine blocks the loop, too, but not for so long each time.
  await until(() => hub.stats().loopDelay.max < max, "what was said is not said again");
  await hub.close();
  const { loopDelay } = hub.stats();
  assert.ok(Number.isFinite(loopDelay.max) && Number.isFinite(loopDelay.p99));
});
