import type { Engine } from "../../engine/engine.ts";
import type { Flusher } from "../../session/outbox.ts";
import type { Backpressure } from "./backpressure.ts";
import { FanOut } from "./fan-out.ts";
import { FullWorkers } from "./full-sessions.ts";

/** What the sessions of one tenant share, and those of others have no part in. */
export interface SessionTenant {
  /** The numbers that its sessions share tell nothing of what other tenants publish. */
  readonly fanOut: FanOut;
  /** Nobody waits for a worker of another tenant. */
  readonly full: FullWorkers<Backpressure>;
}

/** Those of a gateway, by their engines: each is forgotten with its engine. */
export class SessionTenants {
  readonly #flusher: Flusher;
  readonly #all = new WeakMap<Engine, SessionTenant>();

  constructor(flusher: Flusher) {
    this.#flusher = flusher;
  }

  of(engine: Engine): SessionTenant {
    let tenant = this.#all.get(engine);
    if (tenant === undefined) {
      tenant = { fanOut: new FanOut(engine, this.#flusher), full: new FullWorkers() };
      this.#all.set(engine, tenant);
    }
    return tenant;
  }
}
