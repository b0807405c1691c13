/** Where sockets that carry descriptors come from. */
import { chmodSync, closeSync, fchmodSync, unlinkSync } from "node:fs";
import type { Socket } from "node:net";
import { constants } from "node:os";
import type { UnixPeer } from "../../message/peer-identity.ts";
import { attempt } from "../dialing.ts";
import { handleOf } from "../socket-reads.ts";
import type { DialOptions, Listener } from "../transport.ts";
import { checkPath, removeStale } from "../unix-path.ts";
import { PolledSocket, type DescriptorSocket } from "./descriptor-socket.ts";
import { AF_UNIX, canPassDescriptors, libc, systemError } from "./libc.ts";

const { EAGAIN, EINTR, EMFILE, ENFILE } = constants.errno;

/** Connections that may wait to be accepted, as in Node. */
const BACKLOG = 511;
/** Pauses accepting between many connections, and until there are descriptors again. */
const RETRY_MS = 10;
const PAUSE_MS = 100;
const ACCEPTS = 64;

/**
 * Listens on a path of the file system, which is removed again by `close`. A socket without a listener is
 * replaced. Programs that may write to the path by its permissions, `mode`, may connect; they are the process's own unless they
 * are given. `accept` must call `open` on the socket, or end it. Rejects with `DESCRIPTORS_UNSUPPORTED` where descriptors
 * cannot be passed, and as Node's own `listen` does.
 */
export async function listenDescriptors(
  path: string,
  accept: (socket: DescriptorSocket) => void,
  mode?: number,
): Promise<Listener> {
  const system = libc();
  checkPath(path);
  await removeStale(path);
  const fd = newSocket();
  if (mode !== undefined) fchmodSync(fd, mode); // the file begins with these, less the mask of the process
  if (system.bind(fd, addressOf(path)) < 0) throw closing(fd, listenError("bind", path));
  if (mode !== undefined) chmodSync(path, mode);
  if (system.listen(fd, BACKLOG) < 0) throw closing(fd, listenError("listen", path));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const acceptAll = (): void => {
    for (let turn = 0; turn < ACCEPTS; turn++) {
      const accepted = system.accept(fd);
      if (accepted >= 0) {
        accept(new PolledSocket(accepted));
        if (isClosed) return;
        continue;
      }
      const errno = system.errno();
      if (errno === EMFILE || errno === ENFILE) pause();
      if (errno !== EINTR && errno !== constants.errno.ECONNABORTED) return;
    }
  };
  // A connection that waits to be accepted would be reported again and again.
  const pause = (): void => {
    watch.start(false, false);
    timer = setTimeout(() => watch.start(true, false), PAUSE_MS);
  };
  let isClosed = false;
  const watch = system.watch(fd, acceptAll);
  watch.start(true, false);
  return {
    url: `unix://${path}`,
    close() {
      if (isClosed) return Promise.resolve();
      isClosed = true;
      clearTimeout(timer);
      watch.close();
      closeSync(fd);
      try {
        unlinkSync(path);
      } catch {
        // it has been removed already
      }
      return Promise.resolve();
    },
  };
}

export interface SocketOptions {
  /** What may be under way, as the system counts it. Bytes, the system's default where it is left out. */
  readonly sendBuffer?: number;
}

/** Connects to a path. Rejects with `DESCRIPTORS_UNSUPPORTED`, and as `net.connect` does. */
export async function dialDescriptors(
  path: string,
  options: DialOptions & SocketOptions = {},
): Promise<DescriptorSocket> {
  const system = libc();
  checkPath(path);
  const address = addressOf(path);
  const fd = newSocket();
  if (options.sendBuffer !== undefined) system.limitSending(fd, options.sendBuffer);
  return attempt<DescriptorSocket>(options, (succeed, fail) => {
    const connect = (): void => {
      if (system.connect(fd, address) === 0) return succeed(new PolledSocket(fd));
      const errno = system.errno();
      if (errno !== EAGAIN && errno !== EINTR) return fail(systemError("connect", errno));
      timer = setTimeout(connect, RETRY_MS); // too many wait to be accepted
      return undefined;
    };
    let timer = setTimeout(connect, 0);
    return () => {
      clearTimeout(timer);
      closeSync(fd);
    };
  });
}

/** Takes a connected stream socket over, by its number. It is closed with what this returns. */
export function adoptSocket(fd: number): DescriptorSocket {
  return new PolledSocket(fd);
}

/**
 * A socket of Node's, which it must not have read from past what was looked at, as one that carries descriptors: the same
 * connection, by another descriptor. Throws a system error when there is none left.
 */
export function adoptCopy(socket: Socket, options: SocketOptions = {}): DescriptorSocket {
  const fd = duplicateOf(socket);
  if (options.sendBuffer !== undefined) libc().limitSending(fd, options.sendBuffer);
  return new PolledSocket(fd);
}

/** Another descriptor of the same connection, or open file; the caller's to close. Throws a system error for none. */
export function duplicateOf(open: Socket | number): number {
  const fd = libc().duplicate(typeof open === "number" ? open : (handleOf(open)?.fd ?? -1));
  if (fd < 0) throw systemError("dup");
  return fd;
}

/**
 * Two unix stream sockets that are connected with each other: numbers, the caller's to close. `new net.Socket({ fd })` makes
 * one of Node's of such a number, `adoptSocket` one that carries descriptors.
 */
export function socketPair(): [number, number] {
  const pair = libc().socketPair();
  if (pair === undefined) throw systemError("socketpair");
  return pair;
}

/** Closes a descriptor that nothing else owns. */
/** The process at the other end of a unix socket of Node's; undefined where the platform does not tell. */
export function peerOf(socket: Socket): UnixPeer | undefined {
  const fd = handleOf(socket)?.fd;
  return fd === undefined || fd < 0 || !canPassDescriptors() ? undefined : libc().peerOf(fd);
}

export function closeDescriptor(fd: number): void {
  closeSync(fd);
}

function newSocket(): number {
  const fd = libc().socket();
  if (fd < 0) throw systemError("socket");
  return fd;
}

function closing(fd: number, error: Error): Error {
  closeSync(fd);
  return error;
}

function listenError(call: string, path: string): Error {
  return Object.assign(systemError(call), { address: path });
}

/** A struct sockaddr_un. */
function addressOf(path: string): Uint8Array {
  const name = Buffer.from(path);
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(AF_UNIX);
  name.copy(address, 2);
  return address;
}
