/** What the connections of one tenant share, and those of others have no part in. */
import { CommandCounts } from "../../commands/counts.ts";
import type { Engine } from "../../engine/engine.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import type { CommandClient } from "./client.ts";
import { FanOut } from "./fan-out.ts";
import { HandlerPool } from "./handler-pool.ts";
import type { CommandsSettings } from "./options.ts";
import type { CommandsStats } from "./stats.ts";

/** What all connections of a gateway share. */
export interface TenantOptions {
  readonly settings: CommandsSettings;
  readonly stats: CommandsStats;
  readonly onError: (error: unknown, where: string) => void;
}

export class CommandsTenant {
  readonly fanOut: FanOut;
  /** How calls have ended, in both directions, by action. */
  readonly counts: CommandCounts = new CommandCounts();
  readonly connections: Set<CommandClient> = new Set();
  readonly #engine: Engine;
  readonly #options: TenantOptions;
  readonly #pools = new Map<string, HandlerPool>();

  constructor(engine: Engine, options: TenantOptions) {
    this.#engine = engine;
    this.#options = options;
    const { stats, onError } = options;
    this.fanOut = new FanOut(engine, (count, why) => {
      stats.dropped += count;
      if (why !== undefined) onError(why, "a publication for the connections of commands");
    });
  }

  /** From now on requests for the pattern may go to the client. */
  addHandler(pattern: string, client: CommandClient): void {
    let pool = this.#pools.get(pattern);
    if (pool === undefined) {
      try {
        pool = this.#createPool(pattern);
      } catch (error) {
        return this.#options.onError(error, `commands that serve ${pattern}`);
      }
      this.#pools.set(pattern, pool);
    }
    return pool.add(client);
  }

  removeHandler(pattern: string, client: CommandClient): void {
    const pool = this.#pools.get(pattern);
    if (pool === undefined) return;
    pool.remove(client);
    if (!pool.isEmpty) return;
    this.#pools.delete(pattern); // a request finds nobody then, instead of waiting
    pool.leave();
  }

  /** The client has become full, or has room again. */
  changed(client: CommandClient): void {
    for (const pool of this.#pools.values()) pool.changed(client);
  }

  #createPool(pattern: string): HandlerPool {
    const { settings, onError } = this.#options;
    const onRefused = (why: Failure): void => {
      if (this.#pools.get(pattern) === pool) this.#pools.delete(pattern);
      onError(LintelError.from(why), `commands that serve ${pattern}`);
    };
    const pool = new HandlerPool(this.#engine, pattern, { concurrency: settings.concurrency, onRefused });
    return pool;
  }
}

/** Those of a gateway, by their engines: each is forgotten with its engine. */
export class CommandsTenants {
  readonly #options: TenantOptions;
  readonly #all = new WeakMap<Engine, CommandsTenant>();

  constructor(options: TenantOptions) {
    this.#options = options;
  }

  of(engine: Engine): CommandsTenant {
    let tenant = this.#all.get(engine);
    if (tenant === undefined) {
      tenant = new CommandsTenant(engine, this.#options);
      this.#all.set(engine, tenant);
    }
    return tenant;
  }
}
