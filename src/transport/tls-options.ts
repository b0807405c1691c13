/** Certificates and keys in the form Node takes, checked where they are given. */
import { isIP } from "node:net";
import {
  checkServerIdentity,
  createSecureContext,
  type ConnectionOptions,
  type SecureContextOptions,
  type Server,
} from "node:tls";
import type { TlsOptions } from "./transport.ts";

/** What a server needs besides its protocols. */
export interface ServerTls extends SecureContextOptions {
  /** Clients are asked for a certificate. */
  readonly requestCert: boolean;
  /** Those without one that is good are refused. */
  readonly rejectUnauthorized: boolean;
}

/** Options of a server. Throws a TypeError for certificates that are missing or cannot be used. */
export function serverTls(url: string, tls: TlsOptions = {}): ServerTls {
  const { cert, key, ca, requireClientCert = false, serverName } = tls;
  if (cert === undefined || key === undefined)
    throw new TypeError(`${url} needs tls.cert and tls.key, in PEM`);
  if (requireClientCert && ca === undefined) {
    throw new TypeError(
      `${url} with tls.requireClientCert needs tls.ca: the authorities that sign client certificates`,
    );
  }
  if (serverName !== undefined) throw new TypeError("tls.serverName is for dialing, not for listening");
  // Without `ca` no certificate of a client could be verified.
  return {
    ...contextOf(url, { cert, key, ca }),
    requestCert: ca !== undefined,
    rejectUnauthorized: requireClientCert,
  };
}

/** Options of a client that wants to reach `host`. Throws a TypeError for certificates that cannot be used. */
export function clientTls(url: string, host: string, tls: TlsOptions = {}): ConnectionOptions {
  const { cert, key, ca, requireClientCert, serverName } = tls;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError(`${url} needs tls.cert and tls.key together, or neither`);
  }
  if (requireClientCert !== undefined)
    throw new TypeError("tls.requireClientCert is for listening, not for dialing");
  const name = serverName ?? host;
  return {
    ...contextOf(url, { cert, key, ca }),
    rejectUnauthorized: true, // said aloud: the environment must not turn it off
    servername: isIP(name) === 0 ? name : "", // an address is not sent as a name
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  };
}

/** Gives a server other certificates. Throws a TypeError, and changes nothing, when they cannot be used. */
export function renewTls(server: Server, url: string, before: ServerTls, tls: TlsOptions): void {
  const next = serverTls(url, tls);
  const isSame =
    next.requestCert === before.requestCert && next.rejectUnauthorized === before.rejectUnauthorized;
  if (!isSame) {
    throw new TypeError(
      `${url}: whether clients are asked for a certificate, or need one, cannot be changed while it listens`,
    );
  }
  server.setSecureContext(next);
}

function contextOf(url: string, { cert, key, ca }: Pem): SecureContextOptions {
  const context: SecureContextOptions = {};
  if (cert !== undefined) context.cert = checkPem("tls.cert", "cert", cert);
  if (key !== undefined) context.key = checkPem("tls.key", "key", key);
  if (ca !== undefined) context.ca = checkPem("tls.ca", "ca", ca);
  try {
    createSecureContext(context);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`${url}: the certificates or keys of "tls" cannot be used: ${why}`, { cause });
  }
  return context;
}

interface Pem {
  readonly cert: string | Uint8Array | undefined;
  readonly key: string | Uint8Array | undefined;
  readonly ca: string | Uint8Array | undefined;
}

export type PemName = keyof Pem;

/**
 * The text, with a certificate or a key in it, else throws a TypeError that begins with `source`. Node takes a list without
 * any certificate for "trust nobody" or "trust the platform", depending on how it is empty.
 */
export function checkPem(source: string, name: PemName, pem: string | Uint8Array): string {
  const text = typeof pem === "string" ? pem : new TextDecoder().decode(pem);
  const wanted =
    name === "key" ? /-----BEGIN [A-Z ]*PRIVATE KEY-----/ : /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/;
  if (!wanted.test(text))
    throw new TypeError(`${source} has no ${name === "key" ? "private key" : "certificate"} in PEM`);
  return text;
}
