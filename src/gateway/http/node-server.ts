/** The server of `node:http` or `node:https` behind a port. */
import { createServer, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Server as TlsServer, TlsOptions as TlsServerOptions } from "node:tls";
import type { TlsOptions } from "../../transport/transport.ts";
import type { HttpSettings } from "./options.ts";

/** Node stops reading heads here. Well above our own limits, so that what is over them gets a precise answer. */
const LEAST_PARSER_LIMIT = 98_304;

/** Certificates in the form Node takes. */
export interface Certificates {
  readonly options: TlsServerOptions;
  /** Gives the server others. Throws, and changes nothing, when they cannot be used. */
  renew(server: TlsServer, tls: TlsOptions): void;
}

export function createNodeServer(settings: HttpSettings, secure: Certificates | undefined): Server {
  const { headersTimeoutMs, requestTimeoutMs, keepAliveMs, headerLimit, urlLimit } = settings;
  const shortest = Math.min(headersTimeoutMs, requestTimeoutMs);
  const options: ServerOptions = {
    insecureHTTPParser: false,
    requireHostHeader: false, // checked by us, so that the answer is a problem like all others
    maxHeaderSize: Math.max(LEAST_PARSER_LIMIT, 2 * (headerLimit + urlLimit)),
    headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.max(20, Math.min(1_000, Math.floor(shortest / 4))),
    keepAliveTimeout: keepAliveMs,
  };
  const server =
    secure === undefined
      ? createServer(options)
      : createTlsServer({
          ...options,
          ...secure.options,
          allowHalfOpen: true,
          ALPNProtocols: ["http/1.1"],
          handshakeTimeout: headersTimeoutMs,
        });
  // Node would end a connection when its caller ends its side, and drop the answers. The types do not know of it.
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  server.maxHeadersCount = 0; // node would drop what is over it without a word; we count and refuse
  server.maxConnections = settings.maxConnections;
  server.timeout = settings.stallMs;
  return server;
}
