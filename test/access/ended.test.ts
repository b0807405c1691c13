/** Principals that end, seen from the admission. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdmission, type Admitted } from "../../src/access/admission.ts";
import { Tenants } from "../../src/access/tenants.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import { requestBytes } from "../../src/gateway/request-bytes.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { TestAccess } from "../../src/testing/test-access.ts";

test("a revoked request of a gateway of your own is withdrawn", async () => {
  const access = new TestAccess({ allows: () => true });
  const engine = new LocalEngine();
  const admission = createAdmission(new Tenants(engine), { access, limits: DEFAULT_LIMITS });
  const canceled: string[] = [];
  const worker = { execute: () => undefined, cancel: () => void canceled.push("canceled") };
  await engine.serve("slow", worker).ready;
  const admitted = await admission.admit({ gateway: "mine", remote: "here", token: "ada" });
  const asking = requestBytes(admitted.engine, {
    subject: "slow",
    body: "x",
    timeoutMs: 60_000,
    origin: { gateway: "mine", remote: "tcp://10.0.0.1:1", principal: admitted.principal },
  });
  access.revoke("ada");
  await assert.rejects(asking, { reason: "UNAUTHENTICATED" });
  assert.deepEqual(canceled, ["canceled"]);
  await engine.close();
});

test("credentials expire for all that is under way, also where nobody asks about them", async () => {
  const clock = new FakeClock(0);
  const engine = new LocalEngine({ clock });
  let count = 0;
  const admission = createAdmission(new Tenants(engine), {
    access: {
      authenticate: () => ({
        id: `p${count}`,
        tenant: "main",
        role: "x",
        expiresAt: 1_000 + 100 * count++,
      }),
      may: () => true,
    },
    limits: DEFAULT_LIMITS,
    timeOfDay: () => clock.now(),
  });
  const admitted: Admitted[] = [];
  while (admitted.length < 3) admitted.push(await admission.admit({ gateway: "test", remote: "test" }));
  let calls = 0;
  admission.onEnded(() => calls++);
  const seen: string[] = [];
  for (const at of [999, 1_000, 1_099, 1_100, 5_000]) {
    clock.advance(at - clock.now());
    await Promise.resolve();
    seen.push(`${at}: ${calls} ${admitted.filter(({ ended }) => ended !== undefined).length}`);
  }
  assert.deepEqual(seen, ["999: 0 0", "1000: 1 1", "1099: 1 1", "1100: 2 2", "5000: 3 3"]);
  admission.close();
  await engine.close();
});
