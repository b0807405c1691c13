/** Which tenants have an engine, and which are given up for others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdmission, type Admitted } from "../../src/access/admission.ts";
import type { Access } from "../../src/access/access.ts";
import { Tenants } from "../../src/access/tenants.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import type { Sink } from "../../src/message/delivery.ts";
import { LintelError } from "../../src/message/failure.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { HoldingWorker, textMessage } from "../../src/testing/engine/actors.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

const MAX = 2;
/** A tenant is given up only when nobody was admitted for so long. */
const REST_MS = 60_001;
const NOBODY: Sink = { answered: () => undefined, failed: () => undefined };

/** Its callers are of the tenant that their token names. */
function scene(): { clock: FakeClock; tenants: Tenants; admit: (tenant: string) => Admitted } {
  const clock = new FakeClock(1_000);
  const create = (): LocalEngine => new LocalEngine({ clock });
  const tenants = new Tenants(create(), { create, max: MAX });
  const access: Access = {
    authenticate: ({ token }) => ({ id: "same", tenant: token!, role: "service" }),
    may: (_principal, _verb, _subject, isEnabled) => !isEnabled,
  };
  const admission = createAdmission(tenants, {
    access,
    limits: DEFAULT_LIMITS,
    timeOfDay: () => clock.now(),
  });
  const admit = (token: string): Admitted => {
    const admitted = admission.admit({ gateway: "test", remote: "test", token });
    assert.ok(!(admitted instanceof Promise));
    return admitted;
  };
  return { clock, tenants, admit };
}

const isFull = (error: unknown): boolean =>
  error instanceof LintelError && error.reason === "ACCESS_UNAVAILABLE" && error.retryable;

test("an engine is the same for all principals of a tenant, and no other tenant's", () => {
  const { tenants, admit } = scene();
  const [a, b, main] = ["a", "b", "main"].map((name) => admit(name).tenantEngine);
  assert.equal(new Set([a, b, main]).size, 3);
  assert.equal(admit("a").tenantEngine, a);
  assert.equal(main, tenants.main.engine);
  assert.equal(tenants.size, 3);
});

test("a tenant without anything gives way to a new one, the one that was seen longest ago first", () => {
  const { clock, tenants, admit } = scene();
  const { engine, tenantEngine } = admit("a");
  engine.request(engine.route("x"), textMessage("x"), 1_000, NOBODY, 0);
  clock.advance(10);
  const b = admit("b").tenantEngine;
  assert.throws(() => admit("c"), isFull, "both were there just now");
  clock.advance(REST_MS);
  admit("c");
  assert.equal(tenants.size, MAX + 1);
  assert.equal(tenants.stats.requests, 1, "what it has counted counts on");
  assert.equal(admit("b").tenantEngine, b);
  assert.throws(() => admit("a"), isFull);
  assert.throws(
    () => engine.serve("x", {} as never),
    { reason: "CLOSED" },
    "who still has the old engine is told",
  );
  clock.advance(REST_MS);
  assert.notEqual(admit("a").tenantEngine, tenantEngine);
});

test("what was enabled, and what was decided because of it, ends with a tenant that was given up", async () => {
  const { clock, admit } = scene();
  const service = admit("a");
  await service.enable("request", "x").ready;
  assert.equal((await service.check("request", "x"))?.reason, "PERMISSION_DENIED");
  clock.advance(REST_MS);
  for (const name of ["b", "c", "a"]) {
    admit(name);
    clock.advance(REST_MS);
  }
  assert.equal(admit("a").check("request", "x"), undefined);
});

for (const [what, begin] of [
  [
    "a service",
    async ({ engine }: Admitted) => {
      const worker = await HoldingWorker.start(engine, "x");
      return () => worker.registration.lose();
    },
  ],
  [
    "a subscription",
    async ({ engine }: Admitted) => {
      const subscription = engine.subscribe("x", { deliver: () => undefined });
      await subscription.ready;
      return () => subscription.close();
    },
  ],
  ["a session", (admitted: Admitted) => Promise.resolve(admitted.watch(() => undefined))],
] as const) {
  test(`a tenant with ${what} stays`, async () => {
    const { clock, admit } = scene();
    const end = await begin(admit("a"));
    admit("b");
    clock.advance(REST_MS);
    admit("b");
    assert.throws(() => admit("c"), isFull);
    end();
    admit("c");
  });
}

test("a tenant with a request in flight stays until it has its outcome", async () => {
  const { clock, tenants, admit } = scene();
  const { engine } = admit("a");
  const worker = await HoldingWorker.start(engine, "x");
  engine.request(engine.route("x"), textMessage("x"), 10 * REST_MS, NOBODY, 0);
  void worker.registration.leave();
  admit("b");
  clock.advance(REST_MS);
  admit("b");
  assert.throws(() => admit("c"), isFull);
  assert.equal(tenants.inFlight, 1);
  worker.reply(worker.jobs[0]!.job);
  admit("c");
});

test("where the engine has one tenant, others are refused for good", () => {
  const tenants = new Tenants(new LocalEngine());
  assert.equal(tenants.canBeSeveral, false);
  assert.throws(() => tenants.of("a"), { reason: "PERMISSION_DENIED" });
  assert.equal(tenants.of("main"), tenants.main);
});

test("no tenant begins while the hub drains or when it is closed, and those that are there end with it", async () => {
  const create = (): LocalEngine => new LocalEngine();
  const tenants = new Tenants(create(), { create });
  const { engine } = tenants.of("a");
  await tenants.drain();
  assert.throws(() => tenants.of("b"), { reason: "DRAINING" });
  assert.equal(tenants.of("a").engine, engine);
  await tenants.close();
  assert.throws(() => tenants.of("b"), { reason: "CLOSED" });
  assert.throws(() => engine.serve("x", {} as never), { reason: "CLOSED" });
});
