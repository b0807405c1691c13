/** Names of unix sockets in the file system. */
import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dialSocket } from "./sockets.ts";

/** The path of a socket's name in the file system is bounded by the kernel. */
const MAX_PATH = 107;

/** Throws a TypeError for a path the kernel does not take; `name` is what to call it. */
export function checkPath(path: string, name: string = path): void {
  if (Buffer.byteLength(path) > MAX_PATH)
    throw new TypeError(`the path of ${name} is longer than ${MAX_PATH} bytes`);
}

/** Removes a socket file without a listener, left by a process that was killed. */
export async function removeStale(path: string): Promise<void> {
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
