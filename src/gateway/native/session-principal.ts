import { tryAdmit, type Admission, type Admitted } from "../../access/admission.ts";
import type { Verb } from "../../access/access.ts";
import { whenDecided } from "../../access/decisions.ts";
import type { Quota } from "../../access/quota/quota.ts";
import type { Engine } from "../../engine/engine.ts";
import type { EnabledVerb, Enabling, Endable } from "../../message/delivery.ts";
import { LintelError, type Failure } from "../../message/failure.ts";
import type { Origin } from "../../message/origin.ts";
import type { Connection } from "../../transport/transport.ts";
import type { SessionTenant, SessionTenants } from "./session-tenants.ts";

const GATEWAY = "native";

/** The principal at the other end of a session, and what it may do. */
export class SessionPrincipal {
  /** What all it asks for goes to. */
  engine: Engine;
  /** What the sessions of its tenant share, once `check` has allowed it. It stays the same once it was admitted. */
  tenant: SessionTenant;
  readonly #connection: Connection;
  readonly #admission: Admission;
  readonly #tenants: SessionTenants;
  readonly #onEnded: (why: Failure) => void;
  #admitted: Admitted;
  #unwatch: (() => void) | undefined;
  #isOver = false;
  /** The session is one of the connections of its quota. */
  #isCounted = false;
  #origin: Origin | undefined;

  /** `onEnded` is called when its credentials are no longer good. */
  constructor(
    connection: Connection,
    { admission, tenants }: { readonly admission: Admission; readonly tenants: SessionTenants },
    onEnded: (why: Failure) => void,
  ) {
    this.#connection = connection;
    this.#admission = admission;
    this.#tenants = tenants;
    this.#onEnded = onEnded;
    this.#admitted = admission.everyone; // nothing is asked of it before it was admitted
    this.engine = admission.everyone.engine;
    this.tenant = tenants.of(admission.everyone.tenantEngine);
  }

  /** For observers. */
  get origin(): Origin {
    if (this.#origin !== undefined) return this.#origin;
    const { principal } = this.#admitted;
    const isKnown = this.#admission.isOpen || this.#admitted !== this.#admission.everyone;
    this.#origin = {
      gateway: GATEWAY,
      remote: this.#connection.remote,
      principal: isKnown ? principal : undefined,
    };
    return this.#origin;
  }

  /** Decides about a session that has greeted with this token; undefined: it is welcome. */
  readonly admit = (token: string | undefined): Failure | undefined | Promise<Failure | undefined> => {
    const { identity, remote } = this.#connection;
    const credentials = { gateway: GATEWAY, remote, ...identity, token: token ?? identity?.token };
    const admitted = tryAdmit(this.#admission, credentials);
    return admitted instanceof Promise
      ? admitted.then((known) => this.#become(known))
      : this.#become(admitted);
  };

  /** What it may use; undefined where it has no limits. */
  get quota(): Quota | undefined {
    return this.#admitted.quota;
  }

  /** One more subscription of its quota; why there cannot be one. */
  takeSubscription(pattern: string): Failure | undefined {
    return this.#admitted.told(this.quota?.takeSubscription(), "subscribe", pattern);
  }

  /** Subscribes where subscriptions are shared, if it may; `isWanted` is asked when that was not known at once. */
  subscribe(pattern: string, isWanted: () => boolean, subscribe: () => Promise<void>): Promise<void> {
    const check = (): ReturnType<Admitted["check"]> => this.#admitted.check("subscribe", pattern);
    const decision = check();
    if (decision === undefined) return subscribe();
    return new Promise((resolve, reject) => {
      whenDecided({ decision, check }, (why) => {
        if (why !== undefined) reject(LintelError.from(why));
        else resolve(isWanted() ? subscribe() : undefined);
      });
    });
  }

  /** As of its `Admitted`. */
  hold(verb: Verb, subject: string, onLost: (why: Failure) => void): (() => void) | undefined {
    return this.#admitted.hold(verb, subject, onLost);
  }

  enable(verb: EnabledVerb, pattern: string, options: Endable): Enabling {
    return this.#admitted.enable(verb, pattern, options);
  }

  /** The session is over. */
  end(): void {
    if (this.#isCounted) this.quota?.giveConnection();
    this.#isCounted = false;
    this.#isOver = true;
    this.#unwatch?.();
  }

  #become(admitted: Admitted | Failure): Failure | undefined {
    if ("code" in admitted) return admitted;
    if (!this.#isOver && admitted.quota !== undefined) {
      const why = admitted.told(admitted.quota.takeConnection());
      if (why !== undefined) return why;
      this.#isCounted = true;
    }
    this.#admitted = admitted;
    this.#origin = undefined;
    this.engine = admitted.engine;
    this.tenant = this.#tenants.of(admitted.tenantEngine);
    if (!this.#isOver) this.#unwatch = admitted.watch(this.#onEnded);
    return undefined;
  }
}
