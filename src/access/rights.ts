/** What a principal may do: the rules of its role, with what it was granted and denied. */
import type { Verb } from "./access.ts";
import { covers, overlap, type Grants } from "./grants.ts";

export type Role = "service" | "client" | "observer" | "admin";

export const ROLES: readonly Role[] = ["service", "client", "observer", "admin"];

/** What a role may do with every subject of its tenant, if nothing was granted to it. */
export const ROLE_VERBS: Readonly<Record<Role, readonly Verb[]>> = {
  service: ["request", "publish", "subscribe", "serve", "open"],
  client: [],
  observer: ["subscribe"],
  admin: ["request", "publish", "subscribe", "serve", "open", "admin"],
};

/** The most a role may be granted. */
const GRANTABLE: Readonly<Record<Role, readonly Verb[]>> = {
  service: ROLE_VERBS.service,
  client: ["request", "publish", "subscribe", "serve", "open"],
  observer: ROLE_VERBS.observer,
  admin: ROLE_VERBS.admin,
};

/** What services enable for clients. */
const ENABLEABLE: ReadonlySet<Verb> = new Set(["request", "publish", "subscribe", "open"]);

export class Rights {
  readonly role: Role;
  readonly #grants: Grants | undefined;
  readonly #deny: Grants;

  /** Without `grants` the role decides; with them only they do, within what the role may have. */
  constructor(role: Role, grants: Grants | undefined, deny: Grants = {}) {
    this.role = role;
    this.#grants = grants;
    this.#deny = deny;
  }

  /** A pattern is allowed where all of it is, and denied where any of it is. What services enable counts for clients. */
  may(verb: Verb, subject: string, isEnabled: boolean): boolean {
    if (this.#deny[verb]?.some((pattern) => overlap(pattern, subject)) === true) return false;
    if (isEnabled && this.role === "client" && ENABLEABLE.has(verb)) return true;
    if (this.#grants === undefined) return ROLE_VERBS[this.role].includes(verb);
    if (!GRANTABLE[this.role].includes(verb)) return false;
    return this.#grants[verb]?.some((pattern) => covers(pattern, subject)) === true;
  }
}
