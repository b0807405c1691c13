/** The tenants of a hub: each has an engine of its own, so that none can name what is another's. */
import { KeptRequests } from "../broker/kept-requests.ts";
import { createStats, type BrokerStats } from "../broker/stats.ts";
import type { Engine } from "../engine/engine.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import { DEFAULT_LIMITS, type Limits } from "../message/limits.ts";
import type { Observer } from "../observe/observer.ts";
import { DEFAULT_TENANT } from "./access.ts";
import { Enablement } from "./enablement.ts";
import { WaitingRequests } from "./waiting-requests.ts";

/** An engine, and what it counts. */
export interface TenantEngine extends Engine {
  readonly stats: Readonly<BrokerStats>;
  readonly inFlight: number;
  readonly keptBytes: number;
  /** True while nothing is registered and no request is in flight. */
  readonly isIdle: boolean;
}

/** What the principals of one tenant share. */
export class Tenant {
  readonly engine: TenantEngine;
  readonly waiting: WaitingRequests;
  readonly enablement: Enablement = new Enablement();
  /** When a principal was admitted last, by the clock. */
  lastSeen: number;
  #holders = 0;

  constructor(engine: TenantEngine, waiting: WaitingRequests) {
    this.engine = engine;
    this.waiting = waiting;
    this.lastSeen = engine.clock.now();
  }

  /** Sessions, calls, connections and peers that are there for the tenant. */
  get holders(): number {
    return this.#holders;
  }

  /** The tenant stays as it is until the function that is returned has been called. */
  hold(): () => void {
    let isHeld = true;
    this.#holders++;
    return () => {
      if (isHeld) this.#holders--;
      isHeld = false;
    };
  }
}

export interface TenantsOptions {
  /** Makes the engine of one more tenant. Left out where there can be none but the main one. */
  readonly create?: (() => TenantEngine) | undefined;
  readonly limits?: Limits;
  /** Called with requests that were not made. */
  readonly observer?: Observer | undefined;
  /** Tenants besides the main one. An engine that does nothing takes about 8 KiB. */
  readonly max?: number;
}

const MAX_TENANTS = 4_096;
/** A tenant is not given up so soon after a principal of it was admitted, whose request may still be on its way. Milliseconds. */
const LEAST_REST_MS = 60_000;

export class Tenants {
  /** Of the hub's own process, and of callers whose tenant is not named. It is never given up. */
  readonly main: Tenant;
  readonly #others = new Map<string, Tenant>();
  readonly #options: TenantsOptions;
  readonly #max: number;
  /** Bytes that wait for decisions, in all of them. */
  readonly #kept: KeptRequests;
  /** What those have counted that were given up. */
  readonly #past: BrokerStats = createStats();
  #state: "open" | "draining" | "closed" = "open";

  constructor(main: TenantEngine, options: TenantsOptions = {}) {
    this.#options = options;
    this.#max = options.max ?? MAX_TENANTS;
    this.#kept = new KeptRequests(options.limits ?? DEFAULT_LIMITS);
    this.main = this.#tenant(main);
  }

  /** False where there can be no tenant but the main one. */
  get canBeSeveral(): boolean {
    return this.#options.create !== undefined;
  }

  /** Those that have an engine. */
  get size(): number {
    return this.#others.size + 1;
  }

  /** The tenant with this name, whose engine begins now if it has to. Throws when there cannot be one. */
  of(name: string): Tenant {
    if (name === DEFAULT_TENANT) return this.main;
    const known = this.#others.get(name);
    if (known !== undefined) return known;
    const { create } = this.#options;
    if (create === undefined)
      throw LintelError.of(
        "PERMISSION_DENIED",
        `the engine of this hub has no tenant but "${DEFAULT_TENANT}"`,
      );
    if (this.#state !== "open") throw LintelError.of(this.#state === "draining" ? "DRAINING" : "CLOSED");
    if (this.#others.size >= this.#max && !this.#giveOneUp())
      throw LintelError.of(
        "ACCESS_UNAVAILABLE",
        `this hub has ${this.#max} tenants, and all of them are in use`,
      );
    const tenant = this.#tenant(create());
    this.#others.set(name, tenant);
    return tenant;
  }

  /** What all of them have counted. */
  get stats(): Readonly<BrokerStats> {
    const sum = { ...this.#past };
    for (const { engine } of this.#all()) addTo(sum, engine.stats);
    return sum;
  }

  get inFlight(): number {
    return this.#all().reduce((sum, { engine }) => sum + engine.inFlight, 0);
  }

  /** Bytes of requests that are kept: a bound that all of them share. */
  get keptBytes(): number {
    return this.main.engine.keptBytes;
  }

  async drain(): Promise<void> {
    this.#state = "draining";
    await Promise.all(this.#all().map(({ engine }) => engine.drain()));
  }

  async close(why?: Failure): Promise<void> {
    this.#state = "closed";
    await Promise.all(this.#all().map(({ engine }) => engine.close(why)));
  }

  /** Gives up the tenant that has been idle for the longest time. False when none has been for long enough. */
  #giveOneUp(): boolean {
    let idle: [name: string, tenant: Tenant] | undefined;
    let since = this.main.engine.clock.now() - LEAST_REST_MS;
    for (const [name, tenant] of this.#others) {
      const { engine, holders, lastSeen } = tenant;
      if (lastSeen > since || holders > 0 || !engine.isIdle) continue;
      idle = [name, tenant];
      since = lastSeen;
    }
    if (idle === undefined) return false;
    const [name, { engine }] = idle;
    this.#others.delete(name);
    addTo(this.#past, engine.stats);
    void engine.close(failure("CLOSED", "the tenant was idle, and another one needed its place"));
    return true;
  }

  #tenant(engine: TenantEngine): Tenant {
    return new Tenant(engine, new WaitingRequests(engine, this.#kept, this.#options));
  }

  #all(): readonly Tenant[] {
    return [this.main, ...this.#others.values()];
  }
}

function addTo(sum: BrokerStats, stats: Readonly<BrokerStats>): void {
  for (const [name, count] of Object.entries(stats)) sum[name as keyof BrokerStats] += count;
}
