/** Makes principals of JSON Web Tokens (RFC 7519). */
import { createHash, createSecretKey } from "node:crypto";
import { errors, importSPKI, jwtVerify, type CryptoKey, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { LintelError } from "../../message/failure.ts";
import { parseDuration } from "../../message/quantity.ts";
import type { Principal } from "../access.ts";
import { KeySet } from "./key-set.ts";
import { ALGORITHMS, SECRET_ALGORITHMS, type JwtClaims, type JwtOptions } from "./options.ts";

/** What a token says of its holder. Whether grants have the right form is not known yet. */
export interface TokenIdentity {
  readonly id: string;
  readonly tenant: string | undefined;
  readonly role: string;
  readonly grants: unknown;
  readonly deny: unknown;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface VerifierOptions {
  /** The principal for a token. Throws where the token claims what nobody can have. */
  readonly principalOf: (identity: TokenIdentity) => Principal;
  /** Called with principals whose tokens were signed with a key that the issuer has withdrawn. */
  readonly revoke: (principal: Principal) => void;
  readonly timeOfDay: () => number;
  /** Called with what callers do not hear of. It never has a token in it. */
  readonly onError: (error: unknown, where: string) => void;
}

/** Tokens that are remembered, so that each is verified once; the one used longest ago is forgotten for one more. */
const REMEMBERED = 4_096;
const DEFAULT_SKEW_MS = 30_000;
const DEFAULT_CLAIMS = { id: "sub", role: "role", tenant: "tenant", grants: "grants", deny: "deny" };
const DEFAULT_ROLES: readonly string[] = ["client", "service", "observer"];

interface Known {
  readonly principal: Principal;
  readonly expiresAt: number;
  readonly keyId: string | undefined;
}

export class JwtVerifier {
  readonly #options: VerifierOptions;
  readonly #jwt: JwtOptions;
  readonly #claims: Readonly<Record<keyof JwtClaims, string>>;
  readonly #roles: ReadonlySet<string>;
  readonly #skewMs: number;
  readonly #key: Promise<CryptoKey | Uint8Array> | JWTVerifyGetKey;
  readonly #algorithms: readonly string[];
  /** By the SHA-256 of the token, the one used last at the end. */
  readonly #known = new Map<string, Known>();

  /** The options have been checked. */
  constructor(jwt: JwtOptions, options: VerifierOptions) {
    this.#options = options;
    this.#jwt = jwt;
    this.#claims = { ...DEFAULT_CLAIMS, ...given(jwt.claims) };
    this.#roles = new Set(jwt.roles ?? DEFAULT_ROLES);
    this.#skewMs = skewOf(jwt);
    this.#algorithms = jwt.algorithms ?? (jwt.secret === undefined ? ALGORITHMS : SECRET_ALGORITHMS);
    this.#key = this.#keyOf(jwt);
  }

  /** Rejects as `UNAUTHENTICATED`, or as `ACCESS_UNAVAILABLE` when the keys of the issuer cannot be had. */
  async verify(token: string): Promise<Principal> {
    const digest = createHash("sha256").update(token).digest("base64");
    const known = this.#known.get(digest);
    if (known !== undefined) {
      this.#known.delete(digest);
      if (known.expiresAt > this.#options.timeOfDay()) {
        this.#known.set(digest, known);
        return known.principal;
      }
    }
    const { payload, keyId } = await this.#verified(token);
    // Another caller with the same token may have been first: decisions are remembered for one object.
    const other = this.#known.get(digest);
    if (other !== undefined) return other.principal;
    const identity = this.#identityOf(payload);
    const principal = this.#options.principalOf(identity);
    this.#known.set(digest, { principal, expiresAt: identity.expiresAt, keyId });
    if (this.#known.size > REMEMBERED) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest!);
    }
    return principal;
  }

  async #verified(
    token: string,
  ): Promise<{ readonly payload: JWTPayload; readonly keyId: string | undefined }> {
    const { issuer, audience } = this.#jwt;
    const options = {
      issuer: listOf(issuer),
      audience: listOf(audience),
      algorithms: [...this.#algorithms],
      clockTolerance: this.#skewMs / 1_000,
      requiredClaims: ["exp"], // a token that is good forever cannot be taken back
      currentDate: new Date(this.#options.timeOfDay()),
    };
    try {
      const { payload, protectedHeader } =
        typeof this.#key === "function"
          ? await jwtVerify(token, this.#key, options)
          : await jwtVerify(token, await this.#key, options);
      return { payload, keyId: protectedHeader.kid };
    } catch (error) {
      throw refusalOf(error);
    }
  }

  #identityOf(payload: JWTPayload): TokenIdentity {
    const { id, role, tenant, grants, deny } = this.#claims;
    const who = payload[id];
    if (typeof who !== "string" || who === "") throw unauthenticated(`the token has no claim "${id}"`);
    const claimedRole = payload[role] ?? this.#jwt.role ?? "client";
    if (typeof claimedRole !== "string" || !this.#roles.has(claimedRole))
      throw unauthenticated(`the claim "${role}" of the token is no role that tokens may have here`);
    const claimedTenant = payload[tenant] ?? this.#jwt.tenant;
    if (claimedTenant !== undefined && typeof claimedTenant !== "string")
      throw unauthenticated(`the claim "${tenant}" of the token is no tenant`);
    return {
      id: who,
      role: claimedRole,
      tenant: claimedTenant,
      grants: payload[grants],
      deny: payload[deny],
      expiresAt: (payload.exp ?? 0) * 1_000 + this.#skewMs,
    };
  }

  #keyOf({ jwks, key, secret }: JwtOptions): Promise<CryptoKey | Uint8Array> | JWTVerifyGetKey {
    if (secret !== undefined) return Promise.resolve(createSecretKey(secret, "utf8").export());
    if (key !== undefined) return this.#publicKey(key);
    const { timeOfDay, onError } = this.#options;
    return new KeySet(jwks ?? "", {
      timeOfDay,
      onError: (error) => onError(error, "fetching the keys of the tokens' issuer"),
      onWithdrawn: (keyIds) => this.#withdrawn(keyIds),
    }).find;
  }

  /** A key is imported for an algorithm. The one that a token names is tried; jose checks that it fits the key. */
  #publicKey(pem: string): JWTVerifyGetKey {
    const imported = new Map<string, Promise<CryptoKey>>();
    return (header) => {
      const { alg } = header;
      let key = imported.get(alg);
      if (key === undefined) imported.set(alg, (key = importSPKI(pem, alg)));
      return key;
    };
  }

  #withdrawn(keyIds: ReadonlySet<string>): void {
    for (const [digest, { principal, keyId }] of [...this.#known]) {
      if (keyId === undefined || !keyIds.has(keyId)) continue;
      this.#known.delete(digest);
      this.#options.revoke(principal);
    }
  }
}

function given(claims: JwtClaims = {}): Partial<Record<keyof JwtClaims, string>> {
  return Object.fromEntries(Object.entries(claims).filter(([, name]) => name !== undefined));
}

function listOf(value: string | readonly string[]): string[] {
  return typeof value === "string" ? [value] : [...value];
}

function skewOf({ clockSkew = DEFAULT_SKEW_MS }: JwtOptions): number {
  return typeof clockSkew === "number" ? clockSkew : (parseDuration(clockSkew) ?? DEFAULT_SKEW_MS);
}

/** What a caller may know: of a token whose signature is good, why it is refused; of any other, nothing. */
function refusalOf(error: unknown): unknown {
  if (error instanceof LintelError) return error;
  if (error instanceof errors.JWTExpired) return unauthenticated("the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (claim === "nbf") return unauthenticated("the token is not valid yet");
    return unauthenticated(
      `the claim "${claim}" of the token is ${reason === "missing" ? "missing" : "not accepted here"}`,
    );
  }
  return unauthenticated("the token is not accepted");
}

function unauthenticated(message: string): LintelError {
  return LintelError.of("UNAUTHENTICATED", message);
}
