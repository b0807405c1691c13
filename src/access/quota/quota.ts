/** What one principal has used of its limits, in all its sessions and requests, at every gateway. */
import { delayed, failure, type Failure } from "../../message/failure.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PrincipalLimits } from "../access.ts";
import { TokenBucket } from "./token-bucket.ts";

/** A bucket holds what comes in so many seconds, unless a burst was named. */
const BURST_SECONDS = 2;
/** When it may be tried again if the table of quotas is full. Milliseconds. */
const FULL_DELAY_MS = 1_000;

/** Things that are used at a time, and have to be given back. */
type Counted = "connections" | "inFlight" | "subscriptions";

const NAMES: Readonly<Record<Counted, string>> = {
  connections: "connections",
  inFlight: "requests in flight",
  subscriptions: "subscriptions",
};

/** Where a quota is kept while it is in use. */
export interface QuotaKeeper {
  readonly clock: Clock;
  /** Called when a quota that is not kept is to be used. False: there is no room for one more. */
  keep(quota: Quota): boolean;
  /** Something was refused. */
  refused(): void;
}

export class Quota {
  /** True while it is kept, because it may say something that must not be forgotten. */
  isKept = false;
  readonly #keeper: QuotaKeeper;
  #limits: PrincipalLimits;
  readonly #used: Record<Counted, number> = { connections: 0, inFlight: 0, subscriptions: 0 };
  #requests: TokenBucket | undefined;
  #bytes: TokenBucket | undefined;

  constructor(limits: PrincipalLimits, keeper: QuotaKeeper) {
    this.#keeper = keeper;
    this.#limits = limits;
    this.#setBuckets();
  }

  /** The limits that hold from now on. What was used stays used. */
  set limits(limits: PrincipalLimits) {
    if (limits === this.#limits) return;
    this.#limits = limits;
    this.#setBuckets();
  }

  get limits(): PrincipalLimits {
    return this.#limits;
  }

  get connections(): number {
    return this.#used.connections;
  }

  get inFlight(): number {
    return this.#used.inFlight;
  }

  get subscriptions(): number {
    return this.#used.subscriptions;
  }

  /** The buckets that there are, by the names that HTTP has for them. */
  get requestBucket(): TokenBucket | undefined {
    return this.#requests;
  }

  get byteBucket(): TokenBucket | undefined {
    return this.#bytes;
  }

  get now(): number {
    return this.#keeper.clock.now();
  }

  /** True if it is as a new one would be. */
  isIdle(now: number): boolean {
    const { connections, inFlight, subscriptions } = this.#used;
    if (connections + inFlight + subscriptions > 0) return false;
    return this.#requests?.isFull(now) !== false && this.#bytes?.isFull(now) !== false;
  }

  /** Why a request would be refused now. Takes nothing. */
  objection(): Failure | undefined {
    const { now } = this;
    return this.#full("inFlight") ?? this.#slowed(this.#requests, now) ?? this.#slowed(this.#bytes, now);
  }

  /** One more request, in flight until `giveRequest`. */
  takeRequest(bytes: number): Failure | undefined {
    const why = this.#full("inFlight") ?? this.takePublication(bytes);
    if (why === undefined) this.#used.inFlight++;
    return why;
  }

  giveRequest(): void {
    this.#used.inFlight--;
  }

  takePublication(bytes: number): Failure | undefined {
    const { now } = this;
    const why = this.#slowed(this.#requests, now) ?? this.#slowed(this.#bytes, now) ?? this.#unkept();
    if (why !== undefined) return why;
    this.#requests?.take(1, now);
    this.#bytes?.take(bytes, now);
    return undefined;
  }

  /** A session, a call or a connection, until `giveConnection`. */
  takeConnection(): Failure | undefined {
    return this.#take("connections");
  }

  giveConnection(): void {
    this.#used.connections--;
  }

  takeSubscription(): Failure | undefined {
    return this.#take("subscriptions");
  }

  giveSubscription(): void {
    this.#used.subscriptions--;
  }

  #take(name: Counted): Failure | undefined {
    const why = this.#full(name) ?? this.#unkept();
    if (why === undefined) this.#used[name]++;
    return why;
  }

  #full(name: Counted): Failure | undefined {
    const limit = this.#limits[name];
    if (limit === undefined || this.#used[name] < limit) return undefined;
    this.#keeper.refused();
    return failure("QUOTA_EXCEEDED", `the limit of these credentials is ${limit} ${NAMES[name]} at a time`);
  }

  /** A message may be larger than what there is of bytes: it passes when there is one, and those behind it wait longer. */
  #slowed(bucket: TokenBucket | undefined, now: number): Failure | undefined {
    const wait = bucket?.wait(1, now) ?? 0;
    if (wait === 0) return undefined;
    this.#keeper.refused();
    const { requestsPerSecond, bytesPerSecond } = this.#limits;
    const rate =
      bucket === this.#requests ? `${requestsPerSecond} requests` : `${bytesPerSecond} bytes of requests`;
    return delayed("RATE_LIMITED", wait, `the limit of these credentials is ${rate} a second`);
  }

  #unkept(): Failure | undefined {
    if (this.isKept || this.#keeper.keep(this)) return undefined;
    this.#keeper.refused();
    return delayed("RATE_LIMITED", FULL_DELAY_MS, "too many callers with limits are active");
  }

  #setBuckets(): void {
    const { requestsPerSecond, burst, bytesPerSecond } = this.#limits;
    this.#requests = this.#bucket(this.#requests, requestsPerSecond, burst);
    this.#bytes = this.#bucket(this.#bytes, bytesPerSecond, undefined);
  }

  #bucket(
    bucket: TokenBucket | undefined,
    rate: number | undefined,
    burst: number | undefined,
  ): TokenBucket | undefined {
    if (rate === undefined) return undefined;
    // One has to fit, however long it takes to come.
    const capacity = burst ?? (rate === 0 ? 0 : Math.max(1, rate * BURST_SECONDS));
    if (bucket === undefined) return new TokenBucket(rate, capacity, this.now);
    bucket.change(rate, capacity, this.now);
    return bucket;
  }
}
