/** Which quotas are kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Quotas } from "../../../src/access/quota/quotas.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";

const principal = (id: string, tenant = "main"): { id: string; tenant: string; role: string } => ({
  id,
  tenant,
  role: "client",
});

test("one principal has one quota; the same name in another tenant is another principal", () => {
  const quotas = new Quotas(new FakeClock());
  const limits = { inFlight: 1 };
  const ada = quotas.of(principal("ada"), limits);
  assert.equal(quotas.of(principal("ada"), { ...limits }), ada);
  assert.notEqual(quotas.of(principal("ada", "other"), limits), ada);
  assert.equal(quotas.of(principal("bob"), undefined), undefined);
  assert.equal(quotas.of(principal("bob"), { burst: undefined }), undefined);
});

test("those that are not in use go, those with something to remember stay, and a full table takes no more", () => {
  const clock = new FakeClock();
  const quotas = new Quotas(clock, 10);
  const limits = { requestsPerSecond: 1, burst: 1, connections: 1 };
  const busy = quotas.of(principal("busy"), limits)!;
  busy.takeConnection();
  const all = Array.from({ length: 9 }, (_none, index) => quotas.of(principal(`p${index}`), limits)!);
  for (const quota of all) assert.equal(quota.takePublication(1), undefined);
  assert.equal(quotas.inUse, 10);
  const late = quotas.of(principal("late"), limits)!;
  assert.equal(late.takePublication(1)?.reason, "RATE_LIMITED");
  assert.equal(late.takeConnection()?.reason, "RATE_LIMITED");
  clock.advance(1_000); // all buckets are full again
  assert.equal(late.takePublication(1), undefined);
  assert.equal(quotas.inUse, 2);
  assert.equal(busy.takeConnection()?.reason, "QUOTA_EXCEEDED");
  assert.equal(all[0]!.takePublication(1), undefined); // it is kept again
  assert.equal(quotas.inUse, 3);
});
