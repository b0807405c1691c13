import { connect, createServer, type AddressInfo } from "node:net";
import { formatAddress, parseAddress, refuseOptions } from "./address.ts";
import { dialSocket, listenOn, stopListening } from "./sockets.ts";
import { SocketConnection } from "./socket-connection.ts";
import type { Transport } from "./transport.ts";

/** `tcp://HOST:PORT`; port 0 listens on a free one. */
export const tcp: Transport = {
  scheme: "tcp",
  supports: { inProcess: false, remote: true, encrypted: false },

  async dial(url, options = {}) {
    const { host, port } = parseAddress(url, "tcp");
    refuseOptions(url, options, "tls");
    const socket = await dialSocket(connect({ host, port, noDelay: true }), options);
    return new SocketConnection(socket, { remote: url });
  },

  async listen(url, accept, options = {}) {
    const { host, port } = parseAddress(url, "tcp");
    refuseOptions(url, options, "tls", "origins", "handshakeTimeoutMs");
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      accept(new SocketConnection(socket, { remote: `tcp://${socket.remoteAddress}:${socket.remotePort}` }));
    });
    await listenOn(server, { host, port });
    const bound = server.address() as AddressInfo; // a TCP server that listens has one
    return { url: `tcp://${formatAddress(bound.address, bound.port)}`, close: () => stopListening(server) };
  },
};
