import { connect, createServer, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import type { SlicedWork } from "../runtime/sliced-work.ts";
import type { PeerIdentity } from "../message/peer-identity.ts";
import { certificateOf } from "./peer-certificate.ts";
import { formatAddress, parseAddress, refuseOptions } from "./address.ts";
import { HANDSHAKE_TIMEOUT_MS, SESSION_PROTOCOL } from "./session-protocol.ts";
import { dialSocket, listenOn, stopListening } from "./sockets.ts";
import { SocketConnection, closeInSlices } from "./socket-connection.ts";
import { explainTls } from "./tls-errors.ts";
import { clientTls, renewTls, serverTls } from "./tls-options.ts";
import type { Connection, Transport } from "./transport.ts";

/** Bytes under way as copies. Encrypting is never done within the write, so `send` would ask to wait every time. */
export const TLS_WINDOW = 262_144;

/** `tls://HOST:PORT`: TLS 1.2 or 1.3 with the application protocol `lintel.v1`; port 0 listens on a free one. */
export const tls: Transport = {
  scheme: "tls",
  supports: { inProcess: false, remote: true, encrypted: true, bypasses: false },

  async dial(url, options = {}) {
    const { host, port } = parseAddress(url, "tls");
    const name = options.tls?.serverName ?? host;
    const secure = clientTls(url, host, options.tls);
    const explain = (error: Error): Error => explainTls(error, name);
    const socket = connect({ ...secure, host, port, ALPNProtocols: [SESSION_PROTOCOL] });
    socket.setNoDelay(true);
    try {
      await dialSocket(socket, options, "secureConnect");
    } catch (error) {
      throw error instanceof Error ? explain(error) : error;
    }
    if (socket.alpnProtocol !== SESSION_PROTOCOL) {
      socket.destroy();
      throw new Error(`${url} speaks TLS, but not ${SESSION_PROTOCOL}: is another program listening there?`);
    }
    return new SocketConnection(socket, { remote: url, window: TLS_WINDOW, explain });
  },

  async listen(url, accept, options = {}) {
    const { host, port } = parseAddress(url, "tls");
    refuseOptions(url, options, "origins", "hosts");
    const secure = serverTls(url, options.tls);
    const closing = closeInSlices();
    let listening = true;
    const server = createServer(
      {
        ...secure,
        ALPNProtocols: [SESSION_PROTOCOL],
        handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
        allowHalfOpen: true,
        noDelay: true,
      },
      (socket) => {
        // Without ALPN it is no client of ours: bytes meant for another protocol must not be taken for frames.
        if (listening && socket.alpnProtocol === SESSION_PROTOCOL) accept(accepted(socket, closing));
        else socket.destroy();
      },
    );
    server.on("tlsClientError", (_error, socket) => socket.destroy()); // node leaves one that is too slow open
    await listenOn(server, { host, port });
    return {
      url: `tls://${formatAddress(host, (server.address() as AddressInfo).port)}`, // a certificate is for the name
      reload: (renewed) => renewTls(server, url, secure, renewed),
      close: () => {
        listening = false;
        return stopListening(server);
      },
    };
  },
};

function accepted(socket: TLSSocket, closing: SlicedWork): Connection {
  const remote = `tls://${formatAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0)}`;
  const identify = (): PeerIdentity => ({ certificate: certificateOf(socket) });
  return new SocketConnection(socket, { remote, window: TLS_WINDOW, closing, identify });
}
