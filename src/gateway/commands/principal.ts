import { tryAdmit, type Admission, type Admitted } from "../../access/admission.ts";
import { whenDecided } from "../../access/decisions.ts";
import type { Failure } from "../../message/failure.ts";
import type { Origin } from "../../message/origin.ts";
import type { PeerIdentity } from "../../message/peer-identity.ts";
import type { CommandClient } from "./client.ts";
import type { CommandsTenant, CommandsTenants } from "./tenant.ts";

const GATEWAY = "commands";

export interface PrincipalOptions {
  readonly admission: Admission;
  readonly tenants: CommandsTenants;
  /** Patterns whose requests go to clients. */
  readonly serve: readonly string[];
  readonly remote: string;
  readonly identity: PeerIdentity | undefined;
  /** Its credentials are no longer good. */
  readonly onEnded: (why: Failure) => void;
}

/** The principal at the other end of a connection, and what it may do. It may become another one. */
export class ClientPrincipal {
  readonly #client: CommandClient;
  readonly #options: PrincipalOptions;
  #admitted: Admitted;
  #tenant: CommandsTenant;
  #origin: Origin;
  /** Undefined while it is nobody. */
  #unwatch: (() => void) | undefined;
  /** The client has announced what it serves. */
  #isAware = false;

  constructor(client: CommandClient, options: PrincipalOptions) {
    const { admission, tenants, remote } = options;
    this.#client = client;
    this.#options = options;
    this.#admitted = admission.everyone; // nothing is asked of it before it was admitted
    this.#tenant = tenants.of(admission.everyone.tenantEngine);
    this.#origin = { gateway: GATEWAY, remote, principal: undefined };
  }

  get admitted(): Admitted {
    return this.#admitted;
  }

  get tenant(): CommandsTenant {
    return this.#tenant;
  }

  /** For observers. */
  get origin(): Origin {
    return this.#origin;
  }

  /** Who has shown this token, besides what the connection proves; or why it is not let in. */
  admit(token: string | undefined): Admitted | Failure | Promise<Admitted | Failure> {
    const { admission, remote, identity } = this.#options;
    if (admission.isOpen) return admission.everyone;
    return tryAdmit(admission, { gateway: GATEWAY, remote, ...identity, token: token ?? identity?.token });
  }

  /** From now on it is this one; why there is no room for one more of its connections. */
  become(admitted: Admitted): Failure | undefined {
    this.leave();
    const full = admitted.told(admitted.quota?.takeConnection());
    if (full !== undefined) return full;
    const { tenants, serve, onEnded } = this.#options;
    this.#admitted = admitted;
    this.#origin = { ...this.#origin, principal: admitted.principal };
    this.#tenant = tenants.of(admitted.tenantEngine);
    this.#tenant.connections.add(this.#client);
    this.#unwatch = admitted.watch(onEnded); // C-8
    this.#isAware = false;
    for (const pattern of serve) this.#handle(pattern);
    return undefined;
  }

  /** The client has announced what it serves, or serves nothing of it any more: then it handles what is configured. */
  announces(isAware: boolean): void {
    if (isAware === this.#isAware || this.#unwatch === undefined) return;
    this.#isAware = isAware;
    if (isAware) this.leaveHandlers();
    else for (const pattern of this.#options.serve) this.#handle(pattern);
  }

  /** It is nobody any more. */
  leave(): void {
    if (this.#unwatch === undefined) return;
    this.#unwatch();
    this.#unwatch = undefined;
    this.#admitted.quota?.giveConnection();
    this.#tenant.connections.delete(this.#client);
    this.leaveHandlers();
  }

  /** It handles nothing any more. */
  leaveHandlers(): void {
    for (const pattern of this.#options.serve) this.#tenant.removeHandler(pattern, this.#client);
  }

  /** The client handles what the hub passes on to clients, as far as it may (C-34). */
  #handle(pattern: string): void {
    const admitted = this.#admitted;
    // A client that may not has not tried anything.
    const check = (): ReturnType<Admitted["check"]> => admitted.expects("serve", pattern);
    whenDecided({ decision: check(), check }, (why) => {
      if (why !== undefined || this.#admitted !== admitted) return;
      if (this.#unwatch !== undefined && !this.#isAware) this.#tenant.addHandler(pattern, this.#client);
    });
  }
}
