/** `http1://HOST:PORT/PATH` and `http1s://`: for where only plain requests and responses pass. */
import * as http from "node:http";
import * as https from "node:https";
import { parseWebAddress, refuseOptions, type Address } from "../address.ts";
import { AccessRule } from "../origins.ts";
import { answerRefusal, refuseWith } from "../problem.ts";
import { HANDSHAKE_TIMEOUT_MS } from "../session-protocol.ts";
import { stopListening } from "../sockets.ts";
import { explainTls } from "../tls-errors.ts";
import { clientTls, type ServerTls } from "../tls-options.ts";
import type { Connection, DialOptions, Listener, ListenOptions, Transport } from "../transport.ts";
import { listenAt, secureFor } from "../web-listener.ts";
import { Http1Acceptor, type Http1AcceptorOptions } from "./acceptor.ts";
import { dialHttp1 } from "./dial.ts";
import type { Requester } from "./dialed-connection.ts";

/** What a server of ours is bounded by: headers, and the time that requests may take to arrive. */
const SERVER_BOUNDS: http.ServerOptions = {
  maxHeaderSize: 8_192,
  requestTimeout: 60_000,
  keepAliveTimeout: 30_000,
};

export interface Http1Options extends Omit<Http1AcceptorOptions, "path" | "onEmpty" | "access"> {
  /** True for `http1s`, over TLS. */
  readonly encrypted: boolean;
}

export function createHttp1Transport(options: Http1Options): Transport {
  const { encrypted } = options;
  const scheme = encrypted ? "http1s" : "http1";
  return {
    scheme,
    supports: { inProcess: false, remote: true, encrypted, bypasses: false },

    async dial(url, dialOptions = {}) {
      const address = parseWebAddress(url, scheme);
      if (!encrypted) refuseOptions(url, dialOptions, "tls");
      const requester = encrypted ? secureRequester(url, address, dialOptions) : plainRequester(address);
      try {
        return await dialHttp1(address.path, url, dialOptions, requester);
      } catch (error) {
        throw error instanceof Error ? explainTls(error, dialOptions.tls?.serverName ?? address.host) : error;
      }
    },

    listen: (url, accept, listenOptions = {}) => listen(url, accept, scheme, options, listenOptions),
  };
}

/** A connection has an agent of its own, so that nothing else can take or end its sockets. */
const KEPT: http.AgentOptions = { keepAlive: true, noDelay: true };

function plainRequester({ host, port }: Address): Requester {
  const agent = new http.Agent(KEPT);
  return { agent, request: (options) => http.request({ ...options, host, port, agent }) };
}

function secureRequester(url: string, { host, port }: Address, { tls }: DialOptions): Requester {
  const agent = new https.Agent({ ...KEPT, ...clientTls(url, host, tls) });
  return { agent, request: (options) => https.request({ ...options, host, port, agent }) };
}

async function listen(
  url: string,
  accept: (connection: Connection) => void,
  scheme: string,
  options: Http1Options,
  listenOptions: ListenOptions,
): Promise<Listener> {
  const address = parseWebAddress(url, scheme);
  const secure = secureFor(url, listenOptions, options.encrypted);
  const server = createHttpServer(secure, listenOptions);
  let isClosed = false;
  const stopWhenEmpty = (): void => {
    if (isClosed && acceptor.size === 0) void stopListening(server);
  };
  const access = new AccessRule({ ...listenOptions, isPlain: secure === undefined });
  const acceptor = new Http1Acceptor({ ...options, access, path: address.path, onEmpty: stopWhenEmpty });
  server.maxConnections = 2 * (options.maxConnections ?? 16_384);
  server.on("request", (request, response) => {
    if (isClosed) response.shouldKeepAlive = false;
    if (!acceptor.handle(request, response, accept))
      answerRefusal(response, refuseWith("not_found", "there is no session endpoint at this path"));
  });
  return listenAt(server, {
    url,
    address,
    access,
    secure,
    // Connections that are open need the port for their uploads: it is given up when the last of them is over.
    close: () => {
      isClosed = true;
      acceptor.close();
      stopWhenEmpty();
      return Promise.resolve();
    },
  });
}

function createHttpServer(
  secure: ServerTls | undefined,
  { handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS }: ListenOptions,
): http.Server {
  const bounds = { ...SERVER_BOUNDS, headersTimeout: handshakeTimeoutMs };
  if (secure === undefined) return http.createServer(bounds);
  return https.createServer({ ...bounds, ...secure, handshakeTimeout: handshakeTimeoutMs });
}

export const http1: Transport = createHttp1Transport({ encrypted: false });
export const http1s: Transport = createHttp1Transport({ encrypted: true });
