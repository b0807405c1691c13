import type { ListenOptions, Server, Socket } from "node:net";
import type { DialOptions } from "./transport.ts";

/** Waits until the socket is connected; destroys it when that fails, takes too long or is aborted. */
export function dialSocket(socket: Socket, options: DialOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => socket.destroy(new Error(`no connection within ${options.timeoutMs} ms`)), options.timeoutMs);
    const onAbort = (): void => void socket.destroy(new Error("dialing was aborted"));
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
      socket.off("error", onError);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      settle();
      resolve(socket);
    });
    if (options.signal?.aborted === true) onAbort();
    else options.signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Waits until the server listens. */
export function listenOn(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
