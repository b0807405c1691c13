/** Makes WebSocket connections of upgrade requests. Works on any HTTP server of Node. */
import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { identityOf } from "../peer-certificate.ts";
import { remoteOf } from "../address.ts";
import { AccessRule, cluesOf } from "../origins.ts";
import { refusalOf, refuse, refuseWith, writeRefusal, type Refusal } from "../problem.ts";
import { SESSION_PROTOCOL } from "../session-protocol.ts";
import type { Connection } from "../transport.ts";
import { WS_SETTINGS, WsConnection } from "./connection.ts";
import { WsFramer } from "./framer.ts";
import { Unmasker } from "./unmasker.ts";

export interface WsAcceptorOptions {
  /** Which web pages may connect, and to which host. Default: those of the same host. */
  readonly access?: AccessRule;
  /** The expected path; without one, the calling code has checked it. */
  readonly path?: string;
}

export interface WsAcceptor {
  /**
   * Takes over what the `upgrade` event of an HTTP server gives: either `accept` is called, and must call `open` on the
   * connection before it returns, or the request is answered with a problem and the socket ends.
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    accept: (connection: Connection) => void,
  ): void;
}

const WEB_SOCKET_VERSION = "13";

export function createWsAcceptor({ access = new AccessRule(), path }: WsAcceptorOptions = {}): WsAcceptor {
  const upgrader = new WebSocketServer({
    ...WS_SETTINGS,
    noServer: true,
    clientTracking: false,
    handleProtocols: () => SESSION_PROTOCOL, // it is among them, or the request was refused
  });
  const framer = new WsFramer("server");
  upgrader.on("wsClientError", (error, socket) => writeRefusal(socket, refuse("BAD_REQUEST", error.message)));
  return {
    handleUpgrade(request, socket, head, accept) {
      const refusal = objection(request, path, access);
      if (refusal !== undefined) return writeRefusal(socket, refusal);
      upgrader.handleUpgrade(request, socket, head, (websocket) => {
        const scheme = "encrypted" in socket ? "wss" : "ws";
        const remote = socket instanceof Socket ? remoteOf(scheme, socket) : `${scheme}://unknown`;
        // Before the listener of `ws`, which gets the same chunk; nothing has been read yet.
        const unmasker = new Unmasker();
        socket.prependListener("data", (chunk: Buffer) => unmasker.unmask(chunk));
        accept(new WsConnection(websocket, { remote, identify: identityOf(request), socket, framer }));
      });
    },
  };
}

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").replace(/\?.*$/s, "");
}

/** The answer for a path where nothing is. */
export function noSuchPath(path: string): Refusal {
  return refuseWith("not_found", `there is nothing at ${path}`);
}

/** The answer for a request that asks for no WebSocket, where there is nothing else. */
export function upgradeRequired(detail: string): Refusal {
  return refuseWith("failed_precondition", detail, {
    reason: "UPGRADE_REQUIRED",
    status: 426,
    headers: {
      upgrade: "websocket",
      connection: "Upgrade, close",
      "sec-websocket-version": WEB_SOCKET_VERSION,
    },
  });
}

function objection(
  request: IncomingMessage,
  path: string | undefined,
  access: AccessRule,
): Refusal | undefined {
  const refusal = handshakeObjection(request, access, path);
  if (refusal !== undefined) return refusal;
  const offered = (request.headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((protocol) => protocol.trim());
  if (!offered.includes(SESSION_PROTOCOL))
    return refuse("BAD_REQUEST", `the subprotocol must be ${SESSION_PROTOCOL}`);
  return undefined;
}

/** Why a request gets no WebSocket, whatever is spoken in it: its page, its host, its path, or no handshake. */
export function handshakeObjection(
  request: IncomingMessage,
  access: AccessRule,
  path?: string,
): Refusal | undefined {
  const { headers, socket } = request;
  const isSecure = "encrypted" in socket;
  const remote = (): string => remoteOf(isSecure ? "wss" : "ws", socket);
  const foreign = access.objection(cluesOf(headers, isSecure), access.addressOf(socket), remote);
  if (foreign !== undefined) return refusalOf(foreign);
  if (path !== undefined && pathOf(request) !== path) return noSuchPath(pathOf(request));
  // Version 8 has its origin in another header; nothing that is in use speaks it.
  if (
    headers.upgrade?.toLowerCase() !== "websocket" ||
    headers["sec-websocket-version"] !== WEB_SOCKET_VERSION
  ) {
    return upgradeRequired(`only WebSocket, version ${WEB_SOCKET_VERSION}, is supported`);
  }
  return undefined;
}
