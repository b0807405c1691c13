import type { Engine } from "../../engine/engine.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import type { SharedBound } from "../../collections/shared-bound.ts";
import type { Observer } from "../../observe/observer.ts";
import type { JobTable } from "./job-table.ts";
import type { JobsSettings } from "./options.ts";
import { PullWorker, type PullServiceOptions } from "./worker.ts";

const AT_MOST_ONCE: PullServiceOptions = { attempts: 1, leaseMs: undefined };
const TOO_MANY = Object.freeze(failure("IN_FLIGHT_FULL", "too many services are polled"));
const TOO_MANY_OF_CALLER = Object.freeze(
  failure("IN_FLIGHT_FULL", "too many services are polled by this caller"),
);
const DISPLACED = Object.freeze(
  failure("NO_RESPONDERS", "no worker polls the service, and other services needed its place"),
);
const UNPOLLED = Object.freeze(failure("NO_RESPONDERS", "no worker polls the service any longer"));

/** What the services of all tenants have in common. */
export interface PullHost {
  readonly settings: JobsSettings;
  readonly observer: Observer | undefined;
  /** On services that are polled and not configured. */
  readonly services: SharedBound;
}

export interface TenantOptions {
  readonly table: JobTable;
  /** Those that are configured begin at once and stay. Default: they begin with a poll and are given up as all others are. */
  readonly beginsConfigured?: boolean;
  /** Called when the last of them was given up. */
  readonly onEmpty?: () => void;
}

/**
 * The services of one tenant that can be polled. One that is configured is there from the beginning and stays, in the hub's own
 * tenant; any other begins with its first poll, and is given up when no worker has been heard of for the linger time: until
 * then its requests are queued.
 */
export class PullWorkers {
  /** Its jobs: nobody finds those of another tenant, or learns how many there are. */
  readonly table: JobTable;
  readonly #engine: Engine;
  readonly #settings: JobsSettings;
  readonly #observer: Observer | undefined;
  readonly #keepsConfigured: boolean;
  readonly #onEmpty: (() => void) | undefined;
  readonly #configured = new Map<string, PullWorker>();
  /** The others, the one asked for last at the end. */
  readonly #polled = new Map<string, PullWorker>();
  /** The callers that have begun them, and how many there are. */
  readonly #callers = new Map<string, string>();
  readonly #bound: SharedBound;
  #sweep: unknown;

  /** Throws `OPTION_UNSUPPORTED` for what the engine cannot keep. */
  constructor(
    engine: Engine,
    { settings, observer, services }: PullHost,
    { table, beginsConfigured = false, onEmpty }: TenantOptions,
  ) {
    this.table = table;
    this.#bound = services;
    this.#engine = engine;
    this.#settings = settings;
    this.#observer = observer;
    this.#keepsConfigured = beginsConfigured;
    this.#onEmpty = onEmpty;
    if (!beginsConfigured) return;
    for (const [subject, options] of settings.services) {
      checkDelivery(engine, subject, options);
      this.#begin(this.#configured, subject, options);
    }
  }

  /** Services that are polled, have been lately, or are configured. */
  get size(): number {
    return this.#configured.size + this.#polled.size;
  }

  /** True while workers poll, or have done so lately, or have jobs. */
  get isUsed(): boolean {
    return this.#polled.size > 0 || [...this.#configured.values()].some((service) => !service.isIdle);
  }

  /**
   * The service, which begins now if it has to. Where there are too many it takes the place of one without a poll: of the
   * same caller's, if that has too many by itself. A failure when all are polled.
   */
  open(subject: string, caller: string): PullWorker | Failure {
    const known = this.#configured.get(subject) ?? this.#polled.get(subject);
    if (known !== undefined) {
      known.lastSeen = this.#engine.clock.now();
      if (this.#polled.delete(subject)) this.#polled.set(subject, known);
      return known;
    }
    const options = this.#settings.services.get(subject);
    if (options !== undefined) {
      const service = this.#begin(this.#configured, subject, options);
      if (!this.#keepsConfigured) this.#watch();
      return service;
    }
    if (!this.#takePlace(caller))
      return this.#bound.taken < this.#bound.limit ? TOO_MANY_OF_CALLER : TOO_MANY;
    this.#callers.set(subject, caller);
    const service = this.#begin(this.#polled, subject, AT_MOST_ONCE);
    this.#watch();
    return service;
  }

  /** Gives all of them up. */
  close(why: Failure): void {
    this.#engine.clock.clear(this.#sweep);
    for (const service of [...this.#configured.values(), ...this.#polled.values()]) service.leave(why);
    this.#configured.clear();
    for (const subject of this.#polled.keys()) this.#forget(subject);
  }

  #takePlace(caller: string): boolean {
    if (this.#bound.take(caller, 1)) return true;
    const ofCaller = this.#bound.takenBy(caller) >= this.#bound.share;
    for (const [subject, service] of this.#polled) {
      if (!service.isIdle || (ofCaller && this.#callers.get(subject) !== caller)) continue;
      this.#giveUp(this.#polled, service, DISPLACED);
      return this.#bound.take(caller, 1);
    }
    return false;
  }

  #forget(subject: string): void {
    this.#polled.delete(subject);
    const caller = this.#callers.get(subject);
    if (this.#callers.delete(subject)) this.#bound.give(caller!, 1);
  }

  #begin(among: Map<string, PullWorker>, subject: string, options: PullServiceOptions): PullWorker {
    const service = new PullWorker(this.#engine, this.table, subject, options, (why) => {
      if (among.get(subject) === service) this.#giveUp(among, service, why); // the next poll tries again
    });
    among.set(subject, service);
    return service;
  }

  #giveUp(among: Map<string, PullWorker>, service: PullWorker, why: Failure): void {
    if (among === this.#polled) this.#forget(service.subject);
    else among.delete(service.subject);
    service.leave(why);
    if (among === this.#polled || !this.#keepsConfigured)
      this.#observer?.poll?.({ event: "left", subject: service.subject });
    if (this.size === 0) this.#onEmpty?.();
  }

  /** Looks often enough that a service is given up within one and a quarter of the linger time. */
  #watch(): void {
    const { clock } = this.#engine;
    this.#sweep ??= clock.after(Math.ceil(this.#settings.lingerMs / 4), () => {
      this.#sweep = undefined;
      const before = clock.now() - this.#settings.lingerMs;
      const lasting = this.#keepsConfigured ? [this.#polled] : [this.#polled, this.#configured];
      for (const among of lasting) {
        for (const service of among.values())
          if (service.isIdle && service.lastSeen <= before) this.#giveUp(among, service, UNPOLLED);
      }
      if (lasting.some(({ size }) => size > 0)) this.#watch();
    });
  }
}

/** Redelivery is the engine's, because it also holds for workers of the service that do not poll. */
function checkDelivery({ supports }: Engine, subject: string, { attempts }: PullServiceOptions): void {
  if (attempts === 1 || supports.attempts) return;
  const name = `services[${JSON.stringify(subject)}].delivery`;
  throw LintelError.of(
    "OPTION_UNSUPPORTED",
    `jobs option ${name} is "at-least-once", but this hub's engine hands a request out only once; use "at-most-once"`,
  );
}
