import { connect, createServer, type AddressInfo } from "node:net";
import { formatAddress, parseAddress, refuseOptions } from "./address.ts";
import { dialSocket, listenOn, stopListening } from "./sockets.ts";
import { SocketConnection, closeInSlices } from "./socket-connection.ts";
import { SocketReads, readBuffer } from "./socket-reads.ts";
import type { Transport } from "./transport.ts";

/** `tcp://HOST:PORT`; port 0 listens on a free one. */
export const tcp: Transport = {
  scheme: "tcp",
  supports: { inProcess: false, remote: true, encrypted: false, bypasses: false },

  async dial(url, options = {}) {
    const { host, port } = parseAddress(url, "tcp");
    refuseOptions(url, options, "tls");
    const reads = new SocketReads();
    const socket = connect({ host, port, noDelay: true, onread: reads.onread }).pause();
    return new SocketConnection(await dialSocket(socket, options), { remote: url, reads });
  },

  async listen(url, accept, options = {}) {
    const { host, port } = parseAddress(url, "tcp");
    refuseOptions(url, options, "tls", "origins", "hosts", "handshakeTimeoutMs");
    const buffer = readBuffer();
    const closing = closeInSlices();
    const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      const remote = `tcp://${socket.remoteAddress}:${socket.remotePort}`;
      accept(SocketConnection.accepted(socket, buffer, remote, undefined, closing));
    });
    await listenOn(server, { host, port });
    const bound = server.address() as AddressInfo; // a TCP server that listens has one
    return { url: `tcp://${formatAddress(bound.address, bound.port)}`, close: () => stopListening(server) };
  },
};
