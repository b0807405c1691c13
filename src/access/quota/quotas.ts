/** The quotas of all principals of a hub that have limits: one for each, whatever credentials and gateways it uses. */
import { LintelError } from "../../message/failure.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Principal, PrincipalLimits } from "../access.ts";
import type { DecisionOptions, Decisions } from "../decisions.ts";
import { problemOfLimits } from "./check-limits.ts";
import { Quota, type QuotaKeeper } from "./quota.ts";

/** Quotas in use. At this bound, what principals ask for that have none in use is refused as `RATE_LIMITED`. */
const MAX_IN_USE = 65_536;
/** Below this many nobody looks whether some are no longer in use. */
const LEAST_LOOKED_AT = 1_024;
/** A full table is looked through at most this often. Milliseconds. */
const PAUSE_MS = 100;

/**
 * A quota is kept as long as something of it is used, which includes tokens that have not come back yet. Others are as new
 * ones are: they go with the last that refers to them.
 */
export class Quotas implements QuotaKeeper {
  readonly clock: Clock;
  /** What was refused because of a quota. */
  refusals = 0;
  readonly #all = new Map<string, WeakRef<Quota>>();
  readonly #inUse = new Set<Quota>();
  readonly #collected = new FinalizationRegistry<string>((key) => {
    if (this.#all.get(key)?.deref() === undefined) this.#all.delete(key);
  });
  readonly #max: number;
  #lookAt: number;
  #lookedAt = -Infinity;

  constructor(clock: Clock, max: number = MAX_IN_USE) {
    this.clock = clock;
    this.#max = max;
    this.#lookAt = Math.min(max, LEAST_LOOKED_AT);
  }

  /** Those that are kept. */
  get inUse(): number {
    return this.#inUse.size;
  }

  /** The quota of a principal, with these limits from now on. Undefined where nothing is limited. Throws for limits that are none. */
  of({ id, tenant }: Principal, limits: PrincipalLimits | undefined): Quota | undefined {
    const problem = limits === undefined ? undefined : problemOfLimits(limits);
    if (problem !== undefined) throw new TypeError(`what limitsOf() returns${problem}`);
    if (limits === undefined || Object.values(limits).every((limit) => limit === undefined)) return undefined;
    const key = JSON.stringify([tenant, id]);
    const known = this.#all.get(key)?.deref();
    if (known !== undefined) {
      known.limits = limits;
      return known;
    }
    const quota = new Quota(limits, this);
    this.#all.set(key, new WeakRef(quota));
    this.#collected.register(quota, key);
    return quota;
  }

  /** Asks for the limits of a principal. An `Access` is user code, and a principal whose limits are not known is not let in. */
  limit(decisions: Decisions, { access, onError }: Pick<DecisionOptions, "access" | "onError">): void {
    const { principal } = decisions;
    try {
      decisions.limits = access.limitsOf?.(principal);
      decisions.quota = this.of(principal, decisions.limits);
    } catch (error) {
      onError(error, `access.limitsOf(${JSON.stringify(principal.id)})`);
      throw LintelError.of("ACCESS_UNAVAILABLE");
    }
  }

  keep(quota: Quota): boolean {
    if (this.#inUse.size >= this.#lookAt) this.#look();
    if (this.#inUse.size >= this.#max) return false;
    quota.isKept = true;
    this.#inUse.add(quota);
    return true;
  }

  refused(): void {
    this.refusals++;
  }

  /** Lets those go that are not in use any more. Each is looked at once for as many that came since. */
  #look(): void {
    const now = this.clock.now();
    if (now - this.#lookedAt < PAUSE_MS && this.#lookAt === this.#max) return;
    this.#lookedAt = now;
    for (const quota of this.#inUse) {
      if (!quota.isIdle(now)) continue;
      quota.isKept = false;
      this.#inUse.delete(quota);
    }
    this.#lookAt = Math.min(this.#max, Math.max(LEAST_LOOKED_AT, this.#inUse.size * 2));
  }
}
