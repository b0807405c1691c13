/** What a connection can prove about the program at its other end. */

/** A certificate that was verified when the connection was made. */
export interface PeerCertificate {
  /** Its subject's distinguished name, such as `CN=worker-7,O=Example`. A comma in a value has a backslash before it. */
  readonly subject: string;
  /** The common name of the subject; undefined where it has none. */
  readonly commonName: string | undefined;
  /**
   * Alternative names with their kind, such as `DNS:worker-7.example.com` or `URI:spiffe://example.com/worker`. Each is one name,
   * whatever characters are in it. None where they cannot be told apart.
   */
  readonly names: readonly string[];
  readonly issuer: string;
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAt: number;
  /** SHA-256 of the certificate: pairs of hexadecimal digits joined by colons. */
  readonly fingerprint256: string;
  /** The certificate itself, in DER. */
  readonly raw: Uint8Array;
}

/** The process at the other end of a unix socket, as the kernel knew it when the socket was connected. */
export interface UnixPeer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Everything that is known of the other end. Nothing of it is set where the transport has no such thing. */
export interface PeerIdentity {
  /** The bearer token that came with the HTTP request that the connection was made of. */
  readonly token?: string | undefined;
  readonly certificate?: PeerCertificate | undefined;
  readonly unix?: UnixPeer | undefined;
}

const BEARER = /^bearer(?: +(.*))?$/i;
const TOKEN = /^[A-Za-z0-9._~+/-]+=* *$/;

/**
 * The token of an `Authorization` header (RFC 6750). Empty, which is no token that anybody has, for one that is malformed: who shows
 * one has credentials, and they are not good. Undefined for any other scheme.
 */
export function bearerToken(authorization: string | undefined): string | undefined {
  const match = authorization === undefined ? null : BEARER.exec(authorization);
  if (match === null) return undefined;
  const [, token = ""] = match;
  return TOKEN.test(token) ? token.trimEnd() : "";
}
