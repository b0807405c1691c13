/** Listens with an HTTP server whose requests become WebSockets. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { bareHost } from "../address.ts";
import { AccessRule } from "../origins.ts";
import { answerRefusal } from "../problem.ts";
import { HANDSHAKE_TIMEOUT_MS } from "../session-protocol.ts";
import { stopListening } from "../sockets.ts";
import type { ServerTls } from "../tls-options.ts";
import type { Listener, ListenOptions } from "../transport.ts";
import { listenAt, secureFor } from "../web-listener.ts";
import { noSuchPath, pathOf, upgradeRequired } from "./acceptor.ts";

/** Bytes of the request's head. */
const MAX_HEAD = 16_384;
/** What `https` calls HTTP/1.1 in TLS. */
export const HTTP_PROTOCOL = "http/1.1";

export interface UpgradeHandler {
  /** The only path there is; undefined where every path has a WebSocket. */
  readonly path: string | undefined;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Answers a request that asks for no upgrade; false, with nothing touched, when it has no answer for it. */
  request?(request: IncomingMessage, response: ServerResponse): boolean;
}

/** `parsed` is the URL, with the path that will be announced. */
export async function listenUpgrades(
  url: string,
  parsed: URL,
  options: ListenOptions,
  open: (access: AccessRule) => UpgradeHandler,
): Promise<Listener> {
  const isTls = parsed.protocol === "wss:";
  const secure = secureFor(url, options, isTls);
  const access = new AccessRule({ ...options, isPlain: secure === undefined });
  const handler = open(access);
  const server = createHttpServer(options, secure);
  let listening = true;
  server.on("request", (request, response) => {
    if (handler.request?.(request, response) === true) return;
    response.shouldKeepAlive = false;
    const asked = pathOf(request);
    const isHere = handler.path === undefined || asked === handler.path;
    answerRefusal(response, isHere ? upgradeRequired("connect with a WebSocket") : noSuchPath(asked));
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (listening) handler.upgrade(request, socket, head);
    else socket.destroy();
  });
  const { port, pathname: path } = parsed;
  const defaultPort = isTls ? 443 : 80;
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

function httpOptions({ handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS }: ListenOptions): ServerOptions {
  return {
    maxHeaderSize: MAX_HEAD,
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: handshakeTimeoutMs,
    connectionsCheckingInterval: Math.max(20, Math.min(1_000, Math.floor(handshakeTimeoutMs / 4))),
    noDelay: true,
  };
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
