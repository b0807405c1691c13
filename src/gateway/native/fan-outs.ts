import type { Engine } from "../../engine/engine.ts";
import type { Flusher } from "../../session/outbox.ts";
import { FanOut } from "./fan-out.ts";

/** A fan-out for each tenant: the numbers that its sessions share tell nothing of what other tenants publish. */
export class FanOuts {
  readonly #flusher: Flusher;
  readonly #all = new Map<Engine, FanOut>();

  constructor(flusher: Flusher) {
    this.#flusher = flusher;
  }

  of(tenantEngine: Engine): FanOut {
    let fanOut = this.#all.get(tenantEngine);
    if (fanOut === undefined) this.#all.set(tenantEngine, (fanOut = new FanOut(tenantEngine, this.#flusher)));
    return fanOut;
  }
}
