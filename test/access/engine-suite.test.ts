/** An engine for a principal that may do everything is as good as the one behind it, whose end is not its own. */
import { createAdmission } from "../../src/access/admission.ts";
import { Tenants } from "../../src/access/tenants.ts";
import type { Access, PrincipalLimits } from "../../src/access/access.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { LocalEngine } from "../../src/engine/local/local-engine.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/message/limits.ts";
import { engineSuite, type EnginePair } from "../../src/testing/index.ts";

const PRINCIPAL = { id: "ada", tenant: "main", role: "all" };

/** Asks anew each time, so that everything waits for its decision where that takes time. */
function guarded(engine: LocalEngine, may: Access["may"], limits: Limits, quota?: PrincipalLimits): Engine {
  const admission = createAdmission(new Tenants(engine, { limits }), {
    access: { authenticate: () => PRINCIPAL, may, limitsOf: () => quota },
    limits,
  });
  const admitted = admission.admit({ gateway: "test", remote: "test" });
  if (admitted instanceof Promise) throw new TypeError("authenticate() answers at once");
  const { engine: guard } = admitted;
  return {
    supports: guard.supports,
    clock: guard.clock,
    route: (subject) => guard.route(subject),
    publish: (route, publication) => guard.publish(route, publication),
    request: (route, request, timeoutMs, sink, tag, now) =>
      guard.request(route, request, timeoutMs, sink, tag, now),
    cancel: (handle, why) => guard.cancel(handle, why),
    subscribe: (pattern, subscriber, options) => guard.subscribe(pattern, subscriber, options),
    serve: (pattern, worker, options) => guard.serve(pattern, worker, options),
    drain: () => engine.drain(),
    close: (why) => engine.close(why),
  };
}

function open(may: Access["may"], given: Partial<Limits> = {}, quota?: PrincipalLimits): EnginePair {
  const limits = { ...DEFAULT_LIMITS, ...given };
  const engine = new LocalEngine({ limits });
  const guard = guarded(engine, may, limits, quota);
  return { callers: guard, workers: guard, close: () => engine.close() };
}

engineSuite("local, for a principal", {
  open: () => open(() => true),
  openWith: (limits) => open(() => true, limits),
});

const AMPLE: PrincipalLimits = {
  requestsPerSecond: 1e6,
  inFlight: 1e6,
  subscriptions: 1e6,
  bytesPerSecond: 1e9,
};

engineSuite("local, for a principal with limits", {
  open: () => open(() => true, {}, AMPLE),
  openWith: (limits) => open(() => true, limits, AMPLE),
});
