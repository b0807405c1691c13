/** What a hub gives to its gateways, for gateways that a test opens without one. */
import { openAdmission } from "../../src/access/admission.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { GatewayContext } from "../../src/gateway/gateway.ts";
import { SharedPort } from "../../src/gateway/shared-port.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";

export function contextOf(engine: Engine, given: Partial<GatewayContext> = {}): GatewayContext {
  return {
    engine,
    admission: openAdmission(engine),
    observer: undefined,
    limits: DEFAULT_LIMITS,
    clock: engine.clock,
    tls: undefined,
    port: new SharedPort(),
    checkListen: () => Promise.resolve(),
    onError: () => undefined,
    name: "lintel",
    ...given,
  };
}
