/** Where credentials become a principal, and an engine that lets it do what it may. */
import type { Engine } from "../engine/engine.ts";
import type { EnabledVerb, Enabler, Enabling, Endable } from "../message/delivery.ts";
import { LintelError, failure, type Failure } from "../message/failure.ts";
import type { Limits } from "../message/limits.ts";
import type { Observer } from "../observe/observer.ts";
import { deferToEndOfTick } from "../runtime/defer-to-end-of-tick.ts";
import { SlicedWork } from "../runtime/sliced-work.ts";
import { isSame, type Access, type Credentials, type Principal, type Verb } from "./access.ts";
import { Decisions, within, type Decision, type DecisionOptions } from "./decisions.ts";
import { PrincipalEnabling, openEnabler, ownEnabler } from "./enabling.ts";
import { LivePrincipals } from "./live-principals.ts";
import { AuditedDecisions, refusalOf, tellRefused } from "./audited-decisions.ts";
import { GuardedEngine } from "./guarded-engine.ts";
import { EVERYONE, openAccess } from "./open-access.ts";
import { keyOf } from "./principal-key.ts";
import type { AccessStats } from "./quota/access-stats.ts";
import { AuthenticationAttempts } from "./quota/attempts.ts";
import { LimitedEngine } from "./quota/limited-engine.ts";
import { Quotas } from "./quota/quotas.ts";
import type { Quota } from "./quota/quota.ts";
import type { Tenant, Tenants } from "./tenants.ts";

/** An admitted principal. Code that acts for it does so through `engine`, and through nothing else. */
export interface Admitted {
  readonly principal: Principal;
  /** Where everybody is let in, the hub's own engine; else one that checks every verb. */
  readonly engine: Engine;
  /**
   * The engine of its tenant, which checks nothing: for what several principals of a tenant share. It is never another
   * tenant's.
   */
  readonly tenantEngine: Engine;
  /**
   * The check of `engine`, for what several principals share, such as one subscription for many sessions. Undefined: it is
   * allowed.
   */
  check(verb: Verb, subject: string): Decision | Promise<Decision>;
  /** As `check`, for what is asked of `engine` afterwards: an observer hears of a refusal there, and not twice. */
  expects(verb: Verb, subject: string): Decision | Promise<Decision>;
  /**
   * For what `check` has allowed and has begun: calls back once when it is allowed no longer, because services have ended
   * what they had enabled. Returns a function that makes it not call, and undefined if it does not depend on that.
   */
  hold(verb: Verb, subject: string, onLost: (why: Failure) => void): (() => void) | undefined;
  /**
   * Lets the clients of its tenant do this with the subjects of the pattern, until it is closed, or the principal's own right
   * ends. `ready` rejects with `PERMISSION_DENIED` unless it is a service or an administrator and may do the counterpart.
   */
  enable(verb: EnabledVerb, pattern: string, options?: Endable): Enabling;
  /** Calls back once, when the credentials expire or are revoked. Returns a function that makes it not call. */
  watch(listener: (why: Failure) => void): () => void;
  /** Why the credentials are no longer good; undefined while they are. For those that `Admission.onEnded` calls. */
  readonly ended: Failure | undefined;
  /**
   * What the principal may use and has used; undefined where it has no limits. `engine` counts what goes through it, a gateway
   * counts connections, and subscriptions that it makes elsewhere.
   */
  readonly quota: Quota | undefined;
  /** Passes on why the quota does not allow something, and tells an observer of it. */
  told(why: Failure | undefined, verb?: Verb, subject?: string): Failure | undefined;
}

/** The one place where gateways get principals from. */
export interface Admission {
  /** True if there are no checks: `admit` returns `everyone`, at once. */
  readonly isOpen: boolean;
  /** A caller that was not admitted. If credentials are required it may do nothing, and its engine only makes routes. */
  readonly everyone: Admitted;
  /** For the hub's own process, which is not checked. */
  readonly enabler: Enabler;
  /**
   * Throws or rejects with a LintelError, mostly `UNAUTHENTICATED`, for credentials that are not good. Never takes longer
   * than `limits.helloTimeout`; twice as long if it waits to know whether others from the same address are good.
   */
  admit(credentials: Credentials): Admitted | Promise<Admitted>;
  /**
   * Calls back after credentials have expired or were revoked, once for all that did so together. A gateway that holds much
   * for principals looks then for what is held for one that has `ended`, instead of watching for each request. Listeners
   * are called in the order in which they came. Returns a function that makes it not call.
   */
  onEnded(listener: () => void): () => void;
}

/** The admission of a hub, which closes it. */
export interface HubAdmission extends Admission {
  readonly stats: AccessStats;
  /** No credentials expire any more. */
  close(): void;
}

export interface AdmissionOptions extends Partial<Pick<DecisionOptions, "timeOfDay" | "onError">> {
  readonly access?: Access | undefined;
  readonly limits: Limits;
  /** Called with requests that were not made. */
  readonly observer?: Observer | undefined;
}

/** Principals that are remembered though nothing is under way for them: most come again soon. */
const REMEMBERED = 1_024;
/** Times that credentials are looked at when others are revoked meanwhile. */
const ATTEMPTS = 3;

export function createAdmission(tenants: Tenants, options: AdmissionOptions): HubAdmission {
  const { access = openAccess } = options;
  return access === openAccess
    ? openAdmission(tenants.main.engine)
    : new CheckedAdmission(tenants, access, options);
}

const ignore = (): void => undefined;

/** Lets everybody in. */
export function openAdmission(engine: Engine): HubAdmission {
  const everyone: Admitted = {
    principal: EVERYONE,
    engine,
    tenantEngine: engine,
    check: () => undefined,
    expects: () => undefined,
    hold: () => undefined,
    enable: (verb, pattern) => openEnabler.enable(verb, pattern),
    watch: () => ignore,
    ended: undefined,
    quota: undefined,
    told: (why) => why,
  };
  const admit = (): Admitted => everyone;
  const stats: AccessStats = { failedAttempts: 0, slowedAttempts: 0, overLimit: 0 };
  return { isOpen: true, everyone, enabler: openEnabler, stats, admit, onEnded: () => ignore, close: ignore };
}

/** As `admit`, and never throws or rejects: a failure says why the other end is not let in. */
export function tryAdmit(
  admission: Admission,
  credentials: Credentials,
): Admitted | Failure | Promise<Admitted | Failure> {
  try {
    const admitted = admission.admit(credentials);
    return admitted instanceof Promise ? admitted.catch(refusalOf) : admitted;
  } catch (error) {
    return refusalOf(error);
  }
}

/** Who it is. */
interface Known {
  readonly decisions: Decisions;
  readonly tenant: Tenant;
}

class CheckedAdmission implements HubAdmission {
  readonly isOpen = false;
  readonly everyone: Admitted;
  readonly enabler: Enabler;
  readonly #tenants: Tenants;
  readonly #options: DecisionOptions;
  /** Undefined where it hears of nothing that is told here. */
  readonly #observer: Observer | undefined;
  /** Those that came last, by what makes them equal; the last one at the end. */
  readonly #known = new Map<string | Principal, Decisions>();
  readonly #principals: LivePrincipals;
  readonly #attempts: AuthenticationAttempts;
  readonly #quotas: Quotas;
  readonly #onEnded = new Set<() => void>();
  /** They are about to be called. */
  #isTelling = false;
  /** Times that principals were revoked. */
  #revocations = 0;

  constructor(
    tenants: Tenants,
    access: Access,
    { limits, timeOfDay = Date.now, onError, observer }: AdmissionOptions,
  ) {
    this.#tenants = tenants;
    const { main } = tenants;
    const { clock } = main.engine;
    const isAudited = observer?.refused !== undefined || observer?.administered !== undefined;
    this.#observer = isAudited ? observer : undefined;
    this.#options = {
      access,
      clock,
      timeOfDay,
      timeoutMs: limits.helloTimeout,
      onError: onError ?? (() => undefined),
      onEnded: () => this.#tell(),
      endings: new SlicedWork(deferToEndOfTick()),
    };
    this.#principals = new LivePrincipals(clock, timeOfDay);
    this.#attempts = new AuthenticationAttempts(clock, limits.helloTimeout);
    this.#quotas = new Quotas(clock);
    this.enabler = ownEnabler(main.enablement);
    const stranger = new Decisions(EVERYONE, main.enablement, this.#options);
    stranger.end(failure("UNAUTHENTICATED"));
    this.everyone = this.#withEngine(stranger, main);
    access.onRevoked?.((principal) => this.#revoke(principal));
  }

  get stats(): AccessStats {
    const { failures, slowed } = this.#attempts;
    return { failedAttempts: failures, slowedAttempts: slowed, overLimit: this.#quotas.refusals };
  }

  admit(credentials: Credentials): Admitted | Promise<Admitted> {
    if (this.#observer?.refused === undefined) return this.#admit(credentials);
    try {
      const admitted = this.#admit(credentials);
      return isPromise(admitted)
        ? admitted.catch((error: unknown) => this.#notLetIn(error, credentials))
        : admitted;
    } catch (error) {
      return this.#notLetIn(error, credentials);
    }
  }

  #notLetIn(error: unknown, { gateway, remote }: Credentials): never {
    tellRefused(this.#observer, { gateway, remote, principal: undefined }, refusalOf(error));
    throw error;
  }

  #admit(credentials: Credentials): Admitted | Promise<Admitted> {
    const { token, remote } = credentials;
    const authenticate = (): Known | Promise<Known> => this.#authenticate(credentials);
    // A caller without a token guesses nothing.
    const known = token === undefined ? authenticate() : this.#attempts.make(token, remote, authenticate);
    return isPromise(known)
      ? known.then((one) => this.#letIn(one, credentials))
      : this.#letIn(known, credentials);
  }

  #authenticate(credentials: Credentials, attempts = ATTEMPTS): Known | Promise<Known> {
    const { access } = this.#options;
    const revocations = this.#revocations;
    let principal: Principal | Promise<Principal>;
    try {
      principal = access.authenticate(credentials);
    } catch (error) {
      throw this.#refusal(error, credentials);
    }
    if (!isPromise(principal)) return this.#identified(principal, credentials);
    return within(principal, this.#options).then(
      (known) => {
        if (revocations === this.#revocations) return this.#identified(known, credentials);
        // It may be this one that was revoked while its credentials were looked at.
        if (attempts > 1) return this.#authenticate(credentials, attempts - 1);
        throw LintelError.of("ACCESS_UNAVAILABLE", "credentials are being revoked; try again");
      },
      (error: unknown) => {
        throw this.#refusal(error, credentials);
      },
    );
  }

  onEnded(listener: () => void): () => void {
    this.#onEnded.add(listener);
    return () => void this.#onEnded.delete(listener);
  }

  close(): void {
    this.#principals.close();
    this.#attempts.close();
    this.#onEnded.clear();
  }

  /** From now on it hears when its credentials end. */
  #identified(principal: Principal, credentials: Credentials): Known {
    const { tenant: name } = this.#checked(principal, credentials);
    const tenant = this.#tenants.of(name);
    if (tenant !== this.#tenants.main) tenant.lastSeen = this.#options.clock.now();
    return { decisions: this.#decisionsOf(principal, tenant), tenant };
  }

  #letIn({ decisions, tenant }: Known, credentials: Credentials): Admitted {
    const { over } = decisions;
    if (over !== undefined) throw LintelError.from(over);
    return this.#withEngine(decisions, tenant, credentials);
  }

  /** Where `from` is left out, nobody was let in. */
  #withEngine(decisions: Decisions, tenant: Tenant, from?: Credentials): Admitted {
    const { principal } = decisions;
    const audited =
      this.#observer === undefined || from === undefined
        ? undefined
        : new AuditedDecisions(decisions, from, this.#observer);
    const asked = audited ?? decisions;
    const { engine, waiting } = tenant;
    const { quota, limits } = decisions;
    if (quota !== undefined && limits !== undefined) quota.limits = limits; // the principal may have keys with others
    const guarded = new GuardedEngine(engine, asked, waiting);
    return {
      principal,
      quota,
      engine: quota === undefined ? guarded : new LimitedEngine(guarded, quota, waiting, audited),
      tenantEngine: engine,
      check: (verb, subject) => asked.check(verb, subject),
      told: (why, verb, subject) => {
        if (why !== undefined) audited?.refused(verb, subject, why);
        return why;
      },
      expects: (verb, subject) => decisions.check(verb, subject),
      hold: (verb, subject, onLost) => asked.hold(verb, subject, onLost),
      enable: (verb, pattern, options = {}) => {
        const make = (given: Endable): Enabling => new PrincipalEnabling(decisions, verb, pattern, given);
        return audited?.enabling(verb, pattern, options, make) ?? make(options);
      },
      watch: (listener) => watchHolding(decisions, tenant, listener),
      get ended(): Failure | undefined {
        return decisions.over;
      },
    };
  }

  #decisionsOf(principal: Principal, { enablement }: Tenant): Decisions {
    const key = keyOf(principal);
    const known = this.#known.get(key);
    const isCurrent = known?.enablement === enablement; // else its tenant has been given up since
    if (isCurrent && known?.over === undefined && known !== undefined) {
      this.#known.delete(key);
      this.#known.set(key, known);
      return known;
    }
    const decisions = new Decisions(principal, enablement, this.#options);
    this.#quotas.limit(decisions, this.#options);
    this.#principals.add(decisions);
    this.#known.set(key, decisions);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value!);
    return decisions;
  }

  /** Once for all that end together, when the code that has ended them is through. */
  #tell(): void {
    if (this.#isTelling || this.#onEnded.size === 0) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const listener of this.#onEnded) this.#call(listener);
    });
  }

  #call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.onError(error, "what ends the work of a principal");
    }
  }

  #revoke(revoked: Principal): void {
    this.#revocations++;
    // Two keys of one name are two such objects, and one of them may go while the other stays.
    const isItself = keyOf(revoked) === revoked;
    for (const decisions of this.#principals.all()) {
      const { principal } = decisions;
      if (isItself ? principal === revoked : isSame(principal, revoked)) decisions.revoke();
    }
  }

  /** An `Access` is user code, so its results are checked. */
  #checked(principal: Principal, credentials: Credentials): Principal {
    const { id, tenant, role, expiresAt = Infinity } = (principal ?? {}) as Partial<Principal>;
    const isNamed = typeof id === "string" && typeof tenant === "string" && typeof role === "string";
    // A time that is no number would never come, and the credentials would be good forever.
    if (isNamed && typeof expiresAt === "number" && !Number.isNaN(expiresAt)) return principal;
    const wrong = new TypeError(
      "authenticate() must return a principal: { id, tenant, role }, and expiresAt, if any, in milliseconds",
    );
    throw this.#refusal(wrong, credentials, "UNAUTHENTICATED"); // most often the access has found nobody
  }

  /** What was thrown by mistake says nothing of the credentials: the access is at fault, and they may be tried again. */
  #refusal(
    error: unknown,
    { gateway, remote }: Credentials,
    reason: "UNAUTHENTICATED" | "ACCESS_UNAVAILABLE" = "ACCESS_UNAVAILABLE",
  ): LintelError {
    if (error instanceof LintelError) return error;
    this.#options.onError(error, `access.authenticate, for ${gateway} from ${remote},`);
    return LintelError.of(reason);
  }
}

/** As `Admitted.watch`. Whoever watches is there for the tenant, which is not given up meanwhile. */
function watchHolding(decisions: Decisions, tenant: Tenant, listener: (why: Failure) => void): () => void {
  const release = tenant.hold();
  const unwatch = decisions.watch((why) => {
    release();
    listener(why);
  });
  return () => {
    release();
    unwatch();
  };
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Partial<Promise<T>> | undefined)?.then === "function";
}
