/** The engines of a hub: one for each tenant, so that no tenant can name what is another's. */
import { DEFAULT_TENANT } from "../access/access.ts";
import { createStats, type BrokerStats } from "../broker/stats.ts";
import type { Engine } from "../engine/engine.ts";
import { LintelError, type Failure } from "../message/failure.ts";

/** An engine, and what it counts. */
export interface HubEngine extends Engine {
  readonly stats: Readonly<BrokerStats>;
  readonly inFlight: number;
  readonly keptBytes: number;
}

/** Tenants of one hub. An engine that does nothing takes about 8 KiB. */
const MAX_TENANTS = 4_096;

export class Tenants {
  /** Of the hub's own process, and of callers whose tenant is not named. */
  readonly main: HubEngine;
  readonly #others = new Map<string, HubEngine>();
  readonly #create: (() => HubEngine) | undefined;
  #state: "open" | "draining" | "closed" = "open";

  /** `create` is left out where there can be no other engine than the main one. */
  constructor(main: HubEngine, create: (() => HubEngine) | undefined) {
    this.main = main;
    this.#create = create;
  }

  /** The engine of a tenant, which begins now if it has to. Throws when there cannot be one. */
  of(tenant: string): Engine {
    if (tenant === DEFAULT_TENANT) return this.main;
    const known = this.#others.get(tenant);
    if (known !== undefined) return known;
    if (this.#create === undefined)
      throw LintelError.of(
        "PERMISSION_DENIED",
        `the engine of this hub has no tenant but "${DEFAULT_TENANT}"`,
      );
    if (this.#state !== "open") throw LintelError.of(this.#state === "draining" ? "DRAINING" : "CLOSED");
    if (this.#others.size >= MAX_TENANTS)
      throw LintelError.of("TOO_MANY", `this hub is at its limit of ${MAX_TENANTS} tenants`);
    const engine = this.#create();
    this.#others.set(tenant, engine);
    return engine;
  }

  /** What all of them have counted. */
  get stats(): Readonly<BrokerStats> {
    const sum = createStats();
    for (const { stats } of this.#all())
      for (const [name, count] of Object.entries(stats)) sum[name as keyof BrokerStats] += count;
    return sum;
  }

  get inFlight(): number {
    return this.#all().reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** Bytes of requests that are kept: a bound that all of them share. */
  get keptBytes(): number {
    return this.main.keptBytes;
  }

  async drain(): Promise<void> {
    this.#state = "draining";
    await Promise.all(this.#all().map((engine) => engine.drain()));
  }

  async close(why?: Failure): Promise<void> {
    this.#state = "closed";
    await Promise.all(this.#all().map((engine) => engine.close(why)));
  }

  #all(): readonly HubEngine[] {
    return [this.main, ...this.#others.values()];
  }
}
