/** What may be configured of access: in code, and under `access` in a configuration file. */
import type { PrincipalLimits } from "./access.ts";
import type { Grants } from "./grants.ts";
import type { JwtOptions } from "./jwt/options.ts";
import type { Role } from "./rights.ts";

export interface AccessOptions {
  /** What callers without credentials are. Default `none`: they are refused. */
  readonly anonymous?: "none" | "client" | "service" | undefined;
  readonly keys?: readonly KeyOptions[] | undefined;
  /** A file with more keys, which `lintel keys` writes. The hub reads it again when it changes. */
  readonly keysFile?: string | undefined;
  readonly jwt?: JwtOptions | undefined;
  /** Who a client is by its certificate, by the first rule that fits. `tls.ca` says which certificates are good. */
  readonly certificates?: readonly CertificateRule[] | undefined;
  /** Processes at the other end of a unix socket, by the first rule that fits. */
  readonly unix?: readonly UnixRule[] | undefined;
  /** What each principal of a role may use, unless its key says otherwise. */
  readonly limits?: { readonly [role in Role]?: PrincipalLimits | undefined } | undefined;
}

/** What a rule or key says of a principal. */
export interface Identity {
  readonly role: Role;
  /** Default: the tenant of the hub's own process. */
  readonly tenant?: string | undefined;
  /** Default: what the role may do. */
  readonly grants?: Grants | undefined;
  /** What it may not do, whatever else it may. */
  readonly deny?: Grants | undefined;
  readonly limits?: PrincipalLimits | undefined;
}

export interface KeyOptions extends Identity {
  /** Names the principal. Several keys may have one name: they are the same principal. */
  readonly name: string;
  /** SHA-256 of the key's bytes: 64 hexadecimal digits. */
  readonly sha256: string;
  /** When it was made. For people. */
  readonly created?: string | undefined;
  /** When the key ends, such as `2027-01-31` or `2027-01-31T12:00:00Z`. Default: never. */
  readonly expires?: string | undefined;
}

export interface CertificateRule extends Identity {
  /** An alternative name of the certificate, such as `worker-*.shop.example` or `spiffe://shop.example/worker`. */
  readonly san?: string | undefined;
  /**
   * Its subject, in place of `san`: a common name, or attributes such as `CN=worker-*,O=Example`. A `*` stands for letters, digits,
   * `-` and `_`, here and in `san`.
   */
  readonly subject?: string | undefined;
  /** Names the principal. Default: the name in the certificate that fits. */
  readonly name?: string | undefined;
}

export interface UnixRule extends Identity {
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Names the principal. Default: `uid-1000`, with the number of the user. */
  readonly name?: string | undefined;
}
