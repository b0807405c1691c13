import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { bareHost, refuseOptions } from "../address.ts";
import { AccessRule } from "../origins.ts";
import { answerRefusal } from "../problem.ts";
import { HANDSHAKE_TIMEOUT_MS } from "../session-protocol.ts";
import { stopListening } from "../sockets.ts";
import { clientTls, type ServerTls } from "../tls-options.ts";
import type { Connection, Listener, ListenOptions, Transport } from "../transport.ts";
import { listenAt, secureFor } from "../web-listener.ts";
import { parseWs } from "../ws-limits.ts";
import { createWsAcceptor, noSuchPath, pathOf, upgradeRequired } from "./acceptor.ts";
import { dialWs } from "./dial.ts";

/** Bytes of the request's head. */
const MAX_HEAD = 16_384;
/** What `https` calls HTTP/1.1 in TLS. */
const HTTP_PROTOCOL = "http/1.1";

/** `ws://HOST:PORT/PATH`: binary messages of the subprotocol `lintel.v1`; port 0 listens on a free one. */
export const ws: Transport = {
  scheme: "ws",
  supports: { inProcess: false, remote: true, encrypted: false, bypasses: false },

  async dial(url, options = {}) {
    const target = parseWs(url, "ws");
    refuseOptions(url, options, "tls");
    return dialWs(target, options, {});
  },

  listen: (url, accept, options = {}) => listen(url, "ws", accept, options),
};

/** `wss://HOST:PORT/PATH`: the same inside TLS. */
export const wss: Transport = {
  scheme: "wss",
  supports: { inProcess: false, remote: true, encrypted: true, bypasses: false },

  async dial(url, options = {}) {
    const target = parseWs(url, "wss");
    const secure = clientTls(url, bareHost(target), options.tls);
    return dialWs(target, options, { ...secure, ALPNProtocols: [HTTP_PROTOCOL] });
  },

  listen: (url, accept, options = {}) => listen(url, "wss", accept, options),
};

function httpOptions({ handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS }: ListenOptions): ServerOptions {
  return {
    maxHeaderSize: MAX_HEAD,
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: handshakeTimeoutMs,
    connectionsCheckingInterval: Math.max(20, Math.min(1_000, Math.floor(handshakeTimeoutMs / 4))),
    noDelay: true,
  };
}

/** Listens with an HTTP server that has nothing but this one path. */
async function listen(
  url: string,
  scheme: "ws" | "wss",
  accept: (connection: Connection) => void,
  options: ListenOptions,
): Promise<Listener> {
  const parsed = parseWs(url, scheme);
  const { pathname: path, port } = parsed;
  const secure = secureFor(url, options, scheme === "wss");
  const access = new AccessRule({ ...options, isPlain: secure === undefined });
  const acceptor = createWsAcceptor({ access, path });
  const server = createHttpServer(options, secure);
  let listening = true;
  server.on("request", (request, response) => {
    response.shouldKeepAlive = false;
    const asked = pathOf(request);
    answerRefusal(response, asked === path ? upgradeRequired("connect with a WebSocket") : noSuchPath(asked));
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (listening) acceptor.handleUpgrade(request, socket, head, accept);
    else socket.destroy();
  });
  const defaultPort = scheme === "wss" ? 443 : 80;
  return listenAt(server, {
    url,
    address: { host: bareHost(parsed), port: port === "" ? defaultPort : Number(port), path },
    access,
    secure,
    close: () => {
      listening = false;
      const stopped = stopListening(server);
      server.closeAllConnections(); // those that are no WebSockets yet
      return stopped;
    },
  });
}

function createHttpServer(options: ListenOptions, secure: ServerTls | undefined): Server {
  if (secure === undefined) return createServer(httpOptions(options));
  return createTlsServer({
    ...httpOptions(options),
    ...secure,
    ALPNProtocols: [HTTP_PROTOCOL],
    handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
  });
}
