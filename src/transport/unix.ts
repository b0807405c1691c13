import { connect, createServer } from "node:net";
import { refuseOptions } from "./address.ts";
import { dialSocket, listenOn, stopListening } from "./sockets.ts";
import { SocketConnection } from "./socket-connection.ts";
import { SocketReads, readBuffer } from "./socket-reads.ts";
import type { Transport } from "./transport.ts";
import { checkPath, removeStale } from "./unix-path.ts";

function parseUnix(url: string): string {
  const path = url.startsWith("unix://") ? url.slice("unix://".length) : url.slice("unix:".length);
  if (!url.startsWith("unix:") || path === "")
    throw new TypeError(`"${url}" is not of the form unix:///PATH`);
  checkPath(path, url);
  return path;
}

/** `unix:///PATH`: sockets in the file system, guarded by its permissions. */
export const unix: Transport = {
  scheme: "unix",
  supports: { inProcess: false, remote: false, encrypted: false },

  async dial(url, options = {}) {
    refuseOptions(url, options, "tls");
    const reads = new SocketReads();
    const socket = connect({ path: parseUnix(url), onread: reads.onread }).pause();
    return new SocketConnection(await dialSocket(socket, options), { remote: url, reads });
  },

  async listen(url, accept, options = {}) {
    refuseOptions(url, options, "tls", "origins", "handshakeTimeoutMs");
    const path = parseUnix(url);
    await removeStale(path);
    const buffer = readBuffer();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      accept(SocketConnection.accepted(socket, buffer, url)),
    );
    await listenOn(server, { path });
    return { url: `unix://${path}`, close: () => stopListening(server) };
  },
};
