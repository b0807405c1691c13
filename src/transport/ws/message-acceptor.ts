/** Makes message sockets of upgrade requests. Works on any HTTP server of Node. */
import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { remoteOf } from "../address.ts";
import type { AccessRule } from "../origins.ts";
import { identityOf } from "../peer-certificate.ts";
import { refuse, writeRefusal } from "../problem.ts";
import { handshakeObjection } from "./acceptor.ts";
import { WS_SETTINGS } from "./connection.ts";
import { WriteQueue } from "./frame-batch.ts";
import { MessageSocket, type HeartbeatOptions } from "./message-socket.ts";
import { Unmasker } from "./unmasker.ts";

export interface MessageAcceptorOptions {
  /** Which web pages may connect, and to which host. */
  readonly access: AccessRule;
  /** Bytes of the largest message that is read; a larger one ends the connection with 1009. */
  readonly maxPayload: number;
  /** Subprotocols to choose from; default: the first that the client offers. */
  readonly protocols?: readonly string[];
  /** Pings peers that are quiet, and ends those that do not answer. Default: nobody is pinged. */
  readonly heartbeat?: HeartbeatOptions;
}

export interface MessageAcceptor {
  /**
   * Takes over what the `upgrade` event of an HTTP server gives: either `accept` is called, and must call `open` on the
   * socket before it returns, or the request is answered with a problem and the socket ends. The path is the caller's to check.
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    accept: (socket: MessageSocket) => void,
  ): void;
}

export function createMessageAcceptor(options: MessageAcceptorOptions): MessageAcceptor {
  const { access, maxPayload, protocols, heartbeat } = options;
  const queue = new WriteQueue();
  const upgrader = new WebSocketServer({
    ...WS_SETTINGS,
    maxPayload,
    skipUTF8Validation: true, // the protocol inside has an answer for it
    noServer: true,
    clientTracking: false,
    handleProtocols: (offered) => [...offered].find((name) => protocols?.includes(name) ?? true) ?? false,
  });
  upgrader.on("wsClientError", (error, socket) => writeRefusal(socket, refuse("BAD_REQUEST", error.message)));
  return {
    handleUpgrade(request, socket, head, accept) {
      const refusal = handshakeObjection(request, access);
      if (refusal !== undefined) return writeRefusal(socket, refusal);
      upgrader.handleUpgrade(request, socket, head, (websocket) => {
        const scheme = "encrypted" in socket ? "wss" : "ws";
        const remote = socket instanceof Socket ? remoteOf(scheme, socket) : `${scheme}://unknown`;
        // Before the listener of `ws`, which gets the same chunk; nothing has been read yet.
        const unmasker = new Unmasker();
        socket.prependListener("data", (chunk: Buffer) => unmasker.unmask(chunk));
        const identify = identityOf(request);
        accept(new MessageSocket(websocket, request, { remote, identify, socket, queue, heartbeat }));
      });
    },
  };
}
