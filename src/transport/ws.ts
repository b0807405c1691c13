import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { bareHost, formatAddress, refuseOptions } from "./address.ts";
import { HANDSHAKE_TIMEOUT_MS } from "./session-protocol.ts";
import { listenOn, stopListening } from "./sockets.ts";
import { clientTls, renewTls, serverTls } from "./tls-options.ts";
import type { Connection, Listener, ListenOptions, Transport } from "./transport.ts";
import { createWsAcceptor, noSuchPath, pathOf, upgradeRequired } from "./ws-acceptor.ts";
import { dialWs } from "./ws-dial.ts";
import { parseWs } from "./ws-limits.ts";
import { answerRefusal } from "./ws-refusal.ts";

/** Bytes of the request's head. */
const MAX_HEAD = 16_384;
/** What `https` calls HTTP/1.1 in TLS. */
const HTTP_PROTOCOL = "http/1.1";

/** `ws://HOST:PORT/PATH`: binary messages of the subprotocol `lintel.v1`; port 0 listens on a free one. */
export const ws: Transport = {
  scheme: "ws",
  supports: { inProcess: false, remote: true, encrypted: false },

  async dial(url, options = {}) {
    const target = parseWs(url, "ws");
    refuseOptions(url, options, "tls");
    return dialWs(target, options, {});
  },

  async listen(url, accept, options = {}) {
    const at = parseWs(url, "ws");
    refuseOptions(url, options, "tls");
    return serve(createServer(httpOptions(options)), at, accept, options);
  },
};

/** `wss://HOST:PORT/PATH`: the same inside TLS. */
export const wss: Transport = {
  scheme: "wss",
  supports: { inProcess: false, remote: true, encrypted: true },

  async dial(url, options = {}) {
    const target = parseWs(url, "wss");
    const secure = clientTls(url, bareHost(target), options.tls);
    return dialWs(target, options, { ...secure, ALPNProtocols: [HTTP_PROTOCOL] });
  },

  async listen(url, accept, options = {}) {
    const at = parseWs(url, "wss");
    const secure = serverTls(url, options.tls);
    const server = createTlsServer({
      ...httpOptions(options),
      ...secure,
      ALPNProtocols: [HTTP_PROTOCOL],
      handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    });
    const listener = await serve(server, at, accept, options);
    return { ...listener, reload: (renewed) => renewTls(server, url, secure, renewed) };
  },
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
async function serve(
  server: Server,
  at: URL,
  accept: (connection: Connection) => void,
  { origins }: ListenOptions,
): Promise<Listener> {
  const { pathname, protocol } = at;
  const acceptor = createWsAcceptor({ origins, path: pathname });
  let listening = true;
  server.on("request", (request, response) => {
    const path = pathOf(request);
    answerRefusal(
      response,
      path === pathname ? upgradeRequired("connect with a WebSocket") : noSuchPath(path),
    );
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (listening) acceptor.handleUpgrade(request, socket, head, accept);
    else socket.destroy();
  });
  const port = at.port === "" ? defaultPort(protocol) : Number(at.port);
  await listenOn(server, { host: bareHost(at), port });
  const bound = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    url: `${protocol}//${formatAddress(bareHost(at), bound.port)}${pathname}`,
    close: () => {
      listening = false;
      const stopped = stopListening(server);
      server.closeAllConnections(); // those that are no WebSockets yet
      return stopped;
    },
  };
}

function defaultPort(protocol: string): number {
  return protocol === "wss:" ? 443 : 80;
}
