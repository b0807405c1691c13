/** What a session may go on with, without being checked anew, and what ends that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdmission } from "../../src/access/admission.ts";
import type { Access } from "../../src/access/access.ts";
import { Tenants } from "../../src/access/tenants.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import type { Sink } from "../../src/message/delivery.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { textMessage } from "../../src/testing/engine/actors.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

interface Scene {
  readonly clock: FakeClock;
  /** What the access was asked. */
  readonly asked: string[];
  /** Requests as a session does: with one route, and the time at hand. The reason why it has failed. */
  readonly request: () => string;
  readonly setTimeOfDay: (time: number) => void;
  readonly revoke: () => void;
  /** Ends what a service had enabled, which is all that is allowed. */
  readonly disable: () => Promise<void>;
}

async function scene(expiresAt?: number): Promise<Scene> {
  const clock = new FakeClock(0);
  const engine = new LocalEngine({ clock });
  const asked: string[] = [];
  const principal = { id: "ada", tenant: "main", role: "client", expiresAt };
  let timeOfDay = 0;
  let revoke: () => void = () => undefined;
  const access: Access = {
    authenticate: () => principal,
    may(_principal, verb, subject, isEnabled) {
      asked.push(`${verb} ${subject}`);
      return isEnabled;
    },
    onRevoked: (listener) => (revoke = () => listener(principal)),
  };
  const admission = createAdmission(new Tenants(engine), {
    access,
    limits: DEFAULT_LIMITS,
    timeOfDay: () => timeOfDay,
  });
  const enabling = admission.enabler.enable("request", "a");
  await enabling.ready;
  const admitted = await admission.admit({ gateway: "test", remote: "test" });
  const route = engine.route("a");
  let outcome = "";
  const sink: Sink = { answered: () => undefined, failed: (_tag, { reason }) => void (outcome = reason) };
  const request = (): string => {
    admitted.engine.request(route, textMessage("x"), 1_000, sink, 0, clock.now());
    return outcome;
  };
  // Nobody serves it, so that one that is allowed has its outcome at once.
  for (let count = 0; count < 3; count++) assert.equal(request(), "NO_RESPONDERS");
  assert.deepEqual(asked, ["request a"]);
  return {
    clock,
    asked,
    request,
    setTimeOfDay: (time) => void (timeOfDay = time),
    revoke: () => revoke(),
    disable: () => enabling.close(),
  };
}

test("it ends with a revocation", async () => {
  const { request, revoke } = await scene();
  revoke();
  assert.equal(request(), "UNAUTHENTICATED");
});

test("it ends with what a service had enabled", async () => {
  const { request, disable } = await scene();
  await disable();
  assert.equal(request(), "PERMISSION_DENIED");
});

test("it ends when the credentials expire", async () => {
  const { clock, request, setTimeOfDay } = await scene(500);
  setTimeOfDay(499);
  clock.advance(499);
  assert.equal(request(), "NO_RESPONDERS");
  setTimeOfDay(500);
  clock.advance(1);
  assert.equal(request(), "UNAUTHENTICATED");
});

test("it ends a second after the time of day has jumped past the end of the credentials", async () => {
  const { clock, request, setTimeOfDay } = await scene(60_000);
  setTimeOfDay(60_000); // the machine has slept, for example
  clock.advance(1_000);
  assert.equal(request(), "UNAUTHENTICATED");
});
