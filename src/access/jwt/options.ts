/** Which JSON Web Tokens are good, and what their claims say. */
import type { Duration } from "../../message/quantity.ts";

export interface JwtOptions {
  /** URL of the issuer's key set: `https:`, or `http:` on this machine. Give this, or `key`, or `secret`. */
  readonly jwks?: string | undefined;
  /** Public key of the issuer, in PEM. */
  readonly key?: string | undefined;
  /** Secret that the issuer shares with the hub, at least 32 bytes of text: for HS256, HS384 and HS512. */
  readonly secret?: string | undefined;
  /** The `iss` that a token must have, or several of which it must have one. */
  readonly issuer: string | readonly string[];
  /** The `aud` that a token must have, or several of which it must have one. */
  readonly audience: string | readonly string[];
  /**
   * Algorithms of signatures. Default: all of `ALGORITHMS` with a public key or a key set, all of `SECRET_ALGORITHMS` with a
   * secret. Algorithms of both kinds cannot be used together.
   */
  readonly algorithms?: readonly string[] | undefined;
  /** How far the clocks of issuer and hub may differ. Default 30 s. */
  readonly clockSkew?: Duration | undefined;
  /** Names of the claims that say who it is and what it may do. */
  readonly claims?: JwtClaims | undefined;
  /** The role of a token without a claim for it. Default `client`. */
  readonly role?: string | undefined;
  /** Roles that a token may have. Default `client`, `service` and `observer`: an issuer makes no administrators. */
  readonly roles?: readonly string[] | undefined;
  /** The tenant of a token without a claim for it. */
  readonly tenant?: string | undefined;
}

export interface JwtClaims {
  /** Default `sub`. */
  readonly id?: string | undefined;
  /** Default `role`. */
  readonly role?: string | undefined;
  /** Default `tenant`. */
  readonly tenant?: string | undefined;
  /** Default `grants`: an object as in the option of the same name. */
  readonly grants?: string | undefined;
  /** Default `deny`. */
  readonly deny?: string | undefined;
}

export const ALGORITHMS: readonly string[] = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
export const SECRET_ALGORITHMS: readonly string[] = ["HS256", "HS384", "HS512"];
