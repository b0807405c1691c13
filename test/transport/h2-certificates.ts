/** The certificates of the tests: an authority, and a server and a client it vouches for. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsOptions, Transport } from "../../src/transport/transport.ts";
import { root } from "../house/root.ts";

const read = (name: string): string => readFileSync(join(root, "test/certificates", `${name}.pem`), "utf8");

const ca = read("h2-ca");
export const SERVER_TLS: TlsOptions = { cert: read("h2-server"), key: read("h2-server-key") };
export const CLIENT_TLS: TlsOptions = { cert: read("h2-client"), key: read("h2-client-key"), ca };
/** Trusts the authority, and has no certificate to show. */
export const TRUST: TlsOptions = { ca };

/** The transport with the certificates that it takes anyway. */
export function withCertificates(transport: Transport, server = SERVER_TLS, client = TRUST): Transport {
  if (!transport.supports.encrypted) return transport;
  return {
    ...transport,
    dial: (url, options) => transport.dial(url, { tls: client, ...options }),
    listen: (url, accept, options) => transport.listen(url, accept, { tls: server, ...options }),
  };
}
