import type { SecureContextOptions } from "node:tls";
import type { TlsOptions } from "./transport.ts";

type Pem = Pick<SecureContextOptions, "cert" | "key" | "ca">;

/** What a server of Node's is told. Throws a TypeError when there is no certificate or no key. */
export function serverCredentials(
  url: string,
  tls: TlsOptions | undefined,
): Pem & { readonly requestCert: boolean; readonly rejectUnauthorized: boolean } {
  if (tls?.cert === undefined || tls.key === undefined) {
    throw new TypeError(`to listen on ${url} takes a certificate and its key: tls.cert and tls.key`);
  }
  const requestCert = tls.requireClientCert === true;
  if (requestCert && tls.ca === undefined) {
    throw new TypeError("tls.requireClientCert takes tls.ca, which says whose certificates are good");
  }
  return { ...pem(tls), requestCert, rejectUnauthorized: requestCert };
}

/** What a client of Node's is told. */
export function clientCredentials(tls: TlsOptions | undefined): Pem & { readonly servername?: string } {
  return { ...pem(tls ?? {}), ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }) };
}

/** Throws a TypeError when certificates are given where they would not be used. */
export function refuseCredentials(url: string, tls: TlsOptions | undefined): void {
  if (tls !== undefined)
    throw new TypeError(`${url} is not encrypted, so certificates and keys have no use there`);
}

function pem({ cert, key, ca }: TlsOptions): Pem {
  return {
    ...(cert === undefined ? {} : { cert: bytesOf(cert) }),
    ...(key === undefined ? {} : { key: bytesOf(key) }),
    ...(ca === undefined ? {} : { ca: bytesOf(ca) }),
  };
}

function bytesOf(text: string | Uint8Array): string | Buffer {
  return typeof text === "string" ? text : Buffer.from(text);
}
