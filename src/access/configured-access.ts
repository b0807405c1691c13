/** An access that is configured: keys, tokens, certificates, unix peers, and what each may do. */
import { LintelError } from "../message/failure.ts";
import {
  DEFAULT_TENANT,
  type Access,
  type Credentials,
  type Principal,
  type PrincipalLimits,
  type Verb,
} from "./access.ts";
import type { AccessOptions, Identity, KeyOptions } from "./access-options.ts";
import type { JwtVerifier, TokenIdentity } from "./jwt/verifier.ts";
import { KeyTable } from "./keys/key-table.ts";
import { Rights, ROLES, type Role } from "./rights.ts";
import { problemOfGrants, type Grants } from "./grants.ts";

/** A principal with its rights. One object stands for one key, token or certificate, so that decisions are remembered. */
export class KnownPrincipal implements Principal {
  readonly id: string;
  readonly tenant: string;
  readonly role: Role;
  readonly expiresAt: number | undefined;
  readonly rights: Rights;
  readonly limits: PrincipalLimits | undefined;

  constructor(id: string, identity: Identity, expiresAt?: number) {
    this.id = id;
    this.tenant = identity.tenant ?? DEFAULT_TENANT;
    this.role = identity.role;
    this.expiresAt = expiresAt;
    this.rights = new Rights(identity.role, identity.grants, identity.deny);
    this.limits = identity.limits;
  }
}

/** One way to know who it is: by certificate, by unix peer. Undefined: this does not tell. */
export interface Recognizer {
  principalOf(credentials: Credentials): KnownPrincipal | undefined;
}

/** Three parts of base64url with dots between them. Keys have no dots. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

export interface ChangedKeys {
  readonly added: readonly string[];
  readonly revoked: readonly string[];
}

interface HeldKey {
  readonly principal: KnownPrincipal;
  /** All that the principal is made of, to see whether a changed file changes it. */
  readonly source: string;
}

/**
 * A token decides alone: one that is not good is refused, whatever else the caller could show. Without a token its certificate
 * does, then the unix peer, and then it is anonymous.
 */
export class ConfiguredAccess implements Access {
  readonly #options: AccessOptions;
  readonly #verifier: JwtVerifier | undefined;
  readonly #recognizers: readonly Recognizer[];
  readonly #anonymous: KnownPrincipal | undefined;
  readonly #keys: KeyTable<KnownPrincipal>;
  #fileKeys = new KeyTable<KnownPrincipal>();
  #held = new Map<string, HeldKey>();
  #onRevoked: ((principal: Principal) => void) | undefined;
  readonly #onClose: (() => void)[] = [];

  /** The options have been checked. */
  constructor(
    options: AccessOptions,
    verifierOf: (access: ConfiguredAccess) => JwtVerifier | undefined = () => undefined,
    recognizers: readonly Recognizer[] = [],
  ) {
    this.#options = options;
    this.#recognizers = recognizers;
    const { anonymous = "none", keys = [] } = options;
    if (anonymous !== "none") this.#anonymous = new KnownPrincipal("anonymous", { role: anonymous });
    this.#keys = new KeyTable();
    for (const key of keys) this.#keys.set(key.sha256, principalOfKey(key));
    this.#verifier = verifierOf(this);
  }

  authenticate(credentials: Credentials): Principal | Promise<Principal> {
    const { token } = credentials;
    if (token !== undefined) {
      if (token === "") return known(undefined); // there was something in the place of a token
      if (this.#verifier !== undefined && JWT.test(token)) return this.#verifier.verify(token);
      return known(this.#keys.find(token) ?? this.#fileKeys.find(token));
    }
    for (const recognizer of this.#recognizers) {
      const principal = recognizer.principalOf(credentials);
      if (principal !== undefined) return principal;
    }
    return known(this.#anonymous);
  }

  may(principal: Principal, verb: Verb, subject: string, isEnabled: boolean): boolean {
    return principal instanceof KnownPrincipal && principal.rights.may(verb, subject, isEnabled);
  }

  limitsOf(principal: Principal): PrincipalLimits | undefined {
    if (!(principal instanceof KnownPrincipal)) return undefined;
    return principal.limits ?? this.#options.limits?.[principal.role];
  }

  onRevoked(listener: (principal: Principal) => void): void {
    this.#onRevoked = listener;
  }

  revoke(principal: Principal): void {
    this.#onRevoked?.(principal);
  }

  /**
   * The keys of the file, in place of those it had before. Principals of keys that are gone or have changed are revoked.
   * Returns the names of keys that were revoked, and of those that are new.
   */
  replaceFileKeys(keys: readonly KeyOptions[]): ChangedKeys {
    const added: string[] = [];
    const revoked: string[] = [];
    const before = this.#held;
    const held = new Map<string, HeldKey>();
    const table = new KeyTable<KnownPrincipal>();
    for (const key of keys) {
      const sha256 = key.sha256.toLowerCase();
      const source = JSON.stringify(key);
      const old = before.get(sha256);
      const principal = old?.source === source ? old.principal : principalOfKey(key);
      if (principal !== old?.principal) added.push(key.name);
      held.set(sha256, { principal, source });
      table.set(sha256, principal);
    }
    this.#held = held;
    this.#fileKeys = table;
    for (const [sha256, { principal }] of before)
      if (held.get(sha256)?.principal !== principal) {
        revoked.push(principal.id);
        this.revoke(principal);
      }
    return { added, revoked };
  }

  /** The tenants of principals that are configured. Those that tokens claim are not known before. */
  *tenants(): Iterable<string> {
    const { keys = [], certificates = [], unix = [], jwt } = this.#options;
    for (const { tenant = DEFAULT_TENANT } of [...keys, ...certificates, ...unix, jwt ?? {}]) yield tenant;
    for (const { principal } of this.#held.values()) yield principal.tenant;
  }

  /** Calls this when the hub closes. */
  beforeClose(action: () => void): void {
    this.#onClose.push(action);
  }

  close(): void {
    for (const action of this.#onClose.splice(0)) action();
  }
}

/** The principal for a token that is good. Throws for claims that nobody can have. */
export function principalOfToken({
  id,
  role,
  tenant,
  grants,
  deny,
  expiresAt,
}: TokenIdentity): KnownPrincipal {
  for (const [claim, value] of Object.entries({ grants, deny })) {
    const problem = value === undefined ? undefined : problemOfGrants(value);
    if (problem !== undefined)
      throw LintelError.of("UNAUTHENTICATED", `the claim for ${claim} of the token ${problem}`);
  }
  if (!isRole(role) || (tenant !== undefined && !isTenant(tenant)))
    throw LintelError.of("UNAUTHENTICATED", "the token claims a role or a tenant that is none");
  // Both have the form: it was looked at above.
  const identity = { role, tenant, grants: grants as Grants | undefined, deny: deny as Grants | undefined };
  return new KnownPrincipal(id, identity, expiresAt);
}

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

/** True for the name of a tenant: 1 to 64 of `[A-Za-z0-9_-]`. */
export function isTenant(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}

function principalOfKey(key: KeyOptions): KnownPrincipal {
  return new KnownPrincipal(key.name, key, key.expires === undefined ? undefined : Date.parse(key.expires));
}

function known(principal: KnownPrincipal | undefined): KnownPrincipal {
  if (principal === undefined) throw LintelError.of("UNAUTHENTICATED");
  return principal;
}
