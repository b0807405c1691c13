/** `http1://HOST:PORT/PATH` and `http1s://`: for where only plain requests and responses pass. */
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { clientCredentials, refuseCredentials, serverCredentials } from "../credentials.ts";
import { refuseWith } from "../problem.ts";
import { listenOn, stopListening } from "../sockets.ts";
import type { Connection, Listener, ListenOptions, TlsOptions, Transport } from "../transport.ts";
import { formatWebUrl, parseWebUrl } from "../web-url.ts";
import { Http1Acceptor, type Http1AcceptorOptions } from "./acceptor.ts";
import { dialHttp1 } from "./dial.ts";
import type { Requester } from "./dialed-connection.ts";

/** What a server of ours is bounded by: headers, and the time that requests may take to arrive. */
const SERVER_BOUNDS: http.ServerOptions = {
  maxHeaderSize: 8_192,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 30_000,
};

/** A TLS handshake is given up after this long. */
const HANDSHAKE_MS = 10_000;

export interface Http1Options extends Omit<Http1AcceptorOptions, "path" | "onEmpty"> {
  /** True for `http1s`, over TLS. */
  readonly encrypted: boolean;
}

export function createHttp1Transport(options: Http1Options): Transport {
  const { encrypted } = options;
  const scheme = encrypted ? "http1s" : "http1";
  return {
    scheme,
    supports: { inProcess: false, remote: true, encrypted },

    // async: what is wrong with the URL rejects
    async dial(url, dialOptions = {}) {
      const { host, port, path } = parseWebUrl(url, scheme);
      if (!encrypted) refuseCredentials(url, dialOptions.tls);
      return dialHttp1(path, url, dialOptions, requesterTo(host, port, encrypted, dialOptions.tls));
    },

    listen: (url, accept, listenOptions = {}) => listen(url, accept, scheme, options, listenOptions),
  };
}

/** A connection has an agent of its own, so that nothing else can take or end its sockets. */
function requesterTo(host: string, port: number, encrypted: boolean, tls: TlsOptions | undefined): Requester {
  const kept = { keepAlive: true, noDelay: true };
  const agent = encrypted ? new https.Agent({ ...kept, ...clientCredentials(tls) }) : new http.Agent(kept);
  const request = encrypted ? https.request : http.request;
  return { agent, request: (options) => request({ ...options, host, port, agent }) };
}

async function listen(
  url: string,
  accept: (connection: Connection) => void,
  scheme: string,
  options: Http1Options,
  { tls }: ListenOptions,
): Promise<Listener> {
  const { host, port, path } = parseWebUrl(url, scheme);
  if (!options.encrypted) refuseCredentials(url, tls);
  const server: http.Server = options.encrypted
    ? https.createServer({ ...SERVER_BOUNDS, ...serverCredentials(url, tls), handshakeTimeout: HANDSHAKE_MS })
    : http.createServer(SERVER_BOUNDS);
  let isClosed = false;
  const stopWhenEmpty = (): void => {
    if (isClosed && acceptor.size === 0) void stopListening(server);
  };
  const acceptor = new Http1Acceptor({ ...options, path, onEmpty: stopWhenEmpty });
  server.maxConnections = 2 * (options.maxConnections ?? 16_384);
  server.on("request", (request, response) => {
    if (isClosed) response.shouldKeepAlive = false;
    if (acceptor.handle(request, response, accept)) return;
    const { status, headers, body } = refuseWith("not_found", "there is nothing at this path");
    response.writeHead(status, headers).end(body);
  });
  await listenOn(server, { host, port });
  // Connections that are open need the port for their uploads: it is given up when the last of them is over.
  const close = (): Promise<void> => {
    isClosed = true;
    acceptor.close();
    stopWhenEmpty();
    return Promise.resolve();
  };
  const address = server.address() as AddressInfo; // a server that listens on a port has one
  return { url: formatWebUrl(scheme, address, path), close };
}

export const http1: Transport = createHttp1Transport({ encrypted: false });
export const http1s: Transport = createHttp1Transport({ encrypted: true });
