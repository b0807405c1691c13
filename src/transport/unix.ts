import { lstat, unlink } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { refuseOptions } from "./address.ts";
import { dialSocket, listenOn, stopListening } from "./sockets.ts";
import { SocketConnection } from "./socket-connection.ts";
import { SocketReads, readBuffer } from "./socket-reads.ts";
import type { Transport } from "./transport.ts";

/** The path of a socket's name in the file system is bounded by the kernel. */
const MAX_PATH = 107;

function parseUnix(url: string): string {
  const path = url.startsWith("unix://") ? url.slice("unix://".length) : url.slice("unix:".length);
  if (!url.startsWith("unix:") || path === "")
    throw new TypeError(`"${url}" is not of the form unix:///PATH`);
  if (Buffer.byteLength(path) > MAX_PATH)
    throw new TypeError(`the path of ${url} is longer than ${MAX_PATH} bytes`);
  return path;
}

/** A socket file that nobody listens on any more, left by a process that was killed, is in the way: remove it. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || !found.isSocket()) return;
  const refused = await dialSocket(connect({ path }), { timeoutMs: 1000 }).then(
    (socket) => {
      socket.destroy();
      return false;
    },
    // Anything else, such as a backlog that is full, is a sign of life.
    (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
  );
  if (refused) await unlink(path).catch(() => undefined); // listen reports what is still wrong
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
