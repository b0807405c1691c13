import type { ListenOptions, Server, Socket } from "node:net";
import type { DialOptions } from "./transport.ts";

/** Waits until the socket is connected; destroys it when that fails, takes too long or is aborted. */
export function dialSocket<S extends Socket>(
  socket: S,
  options: DialOptions,
  ready: "connect" | "secureConnect" = "connect",
): Promise<S> {
  return new Promise((resolve, reject) => {
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => socket.destroy(new Error(`no connection within ${options.timeoutMs} ms`)),
            options.timeoutMs,
          );
    const onAbort = (): void => void socket.destroy(new Error("dialing was aborted"));
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
    };
    // Stays: an error between this and the first listener of the connection must not end the process.
    socket.on("error", (error) => {
      settle();
      reject(error);
    });
    socket.once(ready, () => {
      settle();
      resolve(socket);
    });
    if (options.signal?.aborted === true) onAbort();
    else options.signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Cuts a connection off, by a reset where it is plain TCP: the other end cannot take what it got for the whole. Where its end
 * is just being sent everything was, and it is only closed: Node would never close a socket that is reset then.
 */
export function cutOff(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  const canReset = "encrypted" in socket ? false : socket.remoteFamily !== undefined;
  if (canReset && !isEnding) socket.resetAndDestroy();
  else socket.destroy();
}

/** Waits until the server listens. */
export function listenOn(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays: a connection that could not be accepted, for want of file descriptors, does not affect the others.
    server.on("error", reject);
    server.listen(options, resolve);
  });
}

/** Accepts nothing new. Open connections stay, and are not waited for. */
export function stopListening(server: Server): Promise<void> {
  server.close();
  return Promise.resolve();
}
