import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsOptions, Transport } from "../../src/transport/transport.ts";
import { root } from "../house/root.ts";

const read = (file: string): string => readFileSync(join(root, "test/certificates", file), "utf8");

/** The certificate that vouches for all others but the stranger's. */
export const AUTHORITY: string = read("authority.pem");
/** Vouches for the strange client only. */
export const STRANGER: string = read("stranger.pem");

type Name =
  | "server"
  | "renewed"
  | "elsewhere"
  | "expired"
  | "client"
  | "strange-client"
  | "worker"
  | "hostile";

/** A certificate and its key. */
export function pair(name: Name): { readonly cert: string; readonly key: string } {
  return { cert: read(`${name}.pem`), key: read(`${name}.key`) };
}

/** What a client needs to trust the servers here. */
export const TRUSTING: TlsOptions = { ca: AUTHORITY };

/** The transport with the certificates of the tests where it takes some and none are given. */
export function withCertificates(transport: Transport): Transport {
  if (!transport.supports.encrypted || transport.supports.inProcess) return transport;
  return {
    ...transport,
    dial: (url, options) => transport.dial(url, { tls: TRUSTING, ...options }),
    listen: (url, accept, options) => transport.listen(url, accept, { tls: pair("server"), ...options }),
  };
}
