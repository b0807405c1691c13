import { connect, createServer, type AddressInfo } from "node:net";
import { dialSocket, listenOn, stopListening } from "./sockets.ts";
import { SocketConnection } from "./socket-connection.ts";
import type { Transport } from "./transport.ts";

/** Host and port of `tcp://HOST:PORT`. Throws a TypeError that says what is missing. */
function parseTcp(url: string): { host: string; port: number } {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.protocol !== "tcp:" || parsed.hostname === "" || parsed.port === "") {
    throw new TypeError(`"${url}" is not of the form tcp://HOST:PORT`);
  }
  return { host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(parsed.port) };
}

function formatTcp(address: AddressInfo): string {
  return `tcp://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

/** `tcp://HOST:PORT`; port 0 listens on a free one. */
export const tcp: Transport = {
  scheme: "tcp",
  supports: { inProcess: false, remote: true, encrypted: false },

  async dial(url, options = {}) {
    const { host, port } = parseTcp(url);
    const socket = await dialSocket(connect({ host, port, noDelay: true }), options);
    return new SocketConnection(socket, url);
  },

  async listen(url, accept) {
    const { host, port } = parseTcp(url);
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      accept(new SocketConnection(socket, `tcp://${socket.remoteAddress}:${socket.remotePort}`));
    });
    await listenOn(server, { host, port });
    const address = server.address() as AddressInfo; // a TCP server that listens has one
    return { url: formatTcp(address), close: () => stopListening(server) };
  },
};
