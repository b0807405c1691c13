import { connect, createServer, type Socket } from "node:net";
import { refuseOptions } from "./address.ts";
import { adoptCopy, closeDescriptor, dialDescriptors, peerOf } from "./descriptors/endpoints.ts";
import { canPassDescriptors } from "./descriptors/libc.ts";
import { dialSocket, listenOn, stopListening } from "./sockets.ts";
import { SocketConnection, closeInSlices } from "./socket-connection.ts";
import { SocketReads, readBuffer } from "./socket-reads.ts";
import type { DescriptorPassing, Transport } from "./transport.ts";
import { checkPath, removeStale } from "./unix-path.ts";

function parseUnix(url: string): string {
  const path = url.startsWith("unix://") ? url.slice("unix://".length) : url.slice("unix:".length);
  if (!url.startsWith("unix:") || path === "")
    throw new TypeError(`"${url}" is not of the form unix:///PATH`);
  checkPath(path, url);
  return path;
}

/** Time until a socket for descriptors is there. */
const DIAL_TIMEOUT_MS = 5_000;
/** What such a socket may have under way, as the system counts it: some forty descriptors. They count against the user's. */
const SEND_BUFFER = 16_384;

/** How descriptors pass beside a connection that was dialed to `path`. */
function dialed(path: string): DescriptorPassing | undefined {
  if (!canPassDescriptors()) return undefined;
  return {
    dial: () => dialDescriptors(path, { timeoutMs: DIAL_TIMEOUT_MS, sendBuffer: SEND_BUFFER }),
    takeOver: () => {
      throw new TypeError("the connection was dialed");
    },
    close: closeDescriptor,
  };
}

/** How they pass beside one that was accepted. */
function accepted(socket: Socket): DescriptorPassing | undefined {
  if (!canPassDescriptors()) return undefined;
  return {
    dial: () => Promise.reject(new TypeError("the connection was accepted")),
    takeOver: () => {
      const taken = adoptCopy(socket, { sendBuffer: SEND_BUFFER });
      socket.destroy();
      return taken;
    },
    close: closeDescriptor,
  };
}

/** `unix:///PATH`: sockets in the file system, guarded by its permissions. */
export const unix: Transport = {
  scheme: "unix",
  supports: { inProcess: false, remote: false, encrypted: false, bypasses: false },

  async dial(url, options = {}) {
    refuseOptions(url, options, "tls");
    const reads = new SocketReads();
    const path = parseUnix(url);
    const socket = connect({ path, onread: reads.onread }).pause();
    await dialSocket(socket, options);
    return new SocketConnection(socket, { remote: url, reads, descriptors: dialed(path) });
  },

  async listen(url, accept, options = {}) {
    refuseOptions(url, options, "tls", "origins", "hosts", "handshakeTimeoutMs");
    const path = parseUnix(url);
    await removeStale(path);
    const buffer = readBuffer();
    const closing = closeInSlices();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      accept(
        SocketConnection.accepted(socket, buffer, url, accepted, closing, (used) => ({ unix: peerOf(used) })),
      ),
    );
    await listenOn(server, { path });
    return { url: `unix://${path}`, close: () => stopListening(server) };
  },
};
