/** The functions of the C library that pass descriptors. They are called through `koffi`, an optional package. */
import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";
import { isMainThread } from "node:worker_threads";
import type * as Koffi from "koffi";
import { LintelError } from "../../message/failure.ts";
import type { UnixPeer } from "../../message/peer-identity.ts";

/** Constants of Linux, the same on x64 and arm64. */
export const AF_UNIX = 1;
export const SOL_SOCKET = 1;
export const SCM_RIGHTS = 1;
export const MSG_CTRUNC = 0x8;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x4000_0000;
const SHUT_WR = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x8_0000;
const F_DUPFD_CLOEXEC = 1030;
const SO_SNDBUF = 7;
const SO_PEERCRED = 17;

/** Tells when a descriptor is ready. Its loop goes on for as long as something is watched for. */
export interface Watch {
  /** What to watch for from now on; it may be neither. */
  start(readable: boolean, writable: boolean): void;
  close(): void;
}

/** Calls return -1, or a negative number, when they fail; `errno` says why. */
export interface Libc {
  bind(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  connect(fd: number, address: Uint8Array): number;
  /** The new socket does not block, and does not outlive an exec. */
  accept(fd: number): number;
  /** A stream socket, as `accept` gives. */
  socket(): number;
  /** Two ends that block, as programs expect that are given one, and do not outlive an exec. */
  socketPair(): [number, number] | undefined;
  /** The message lies at an address. */
  sendMessage(fd: number, message: bigint, flags: number): number;
  receiveMessage(fd: number, message: bigint, flags: number): number;
  /** Another descriptor of the same. It does not outlive an exec. */
  duplicate(fd: number): number;
  /** The other end reads to an end, this one may still receive. */
  endSending(fd: number): number;
  limitSending(fd: number, bytes: number): number;
  /** The process at the other end of a unix socket, as it was when the two were connected. */
  peerOf(fd: number): UnixPeer | undefined;
  errno(): number;
  /** Memory that stays where it is, for as long as the process lasts. */
  allocate(size: number): { readonly address: bigint; readonly memory: ArrayBuffer };
  /** `ready` is called for as long as the descriptor is; with `failed` it is in error, and not watched any more. */
  watch(fd: number, ready: (failed: boolean) => void): Watch;
}

const ARCHITECTURES = ["x64", "arm64"];
const PACKAGE = "koffi";
const require = createRequire(import.meta.url);
let loaded: Libc | undefined;
let isThere: boolean | undefined;

/** True where descriptors can be passed: nothing is loaded to find out. */
export function canPassDescriptors(): boolean {
  isThere ??= obstacle() === undefined && canResolve();
  return isThere;
}

function canResolve(): boolean {
  try {
    require.resolve(PACKAGE);
    return true;
  } catch {
    return false; // an optional package
  }
}

/** Why it cannot be done here, whatever is installed. */
function obstacle(): string | undefined {
  const { platform, arch } = process;
  if (platform !== "linux" || !ARCHITECTURES.includes(arch))
    return `descriptors are passed on Linux (${ARCHITECTURES.join(", ")}), not on ${platform} ${arch}`;
  // A worker thread that is terminated while koffi watches something takes the process with it.
  return isMainThread ? undefined : "descriptors are passed on the main thread, not on others";
}

/** The library, loaded when it is first asked for. Throws `DESCRIPTORS_UNSUPPORTED`, and says what is missing. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  const unable = obstacle();
  if (unable !== undefined) throw LintelError.of("DESCRIPTORS_UNSUPPORTED", unable);
  let koffi: typeof Koffi;
  try {
    koffi = require(PACKAGE) as typeof Koffi;
  } catch (error) {
    throw LintelError.of(
      "DESCRIPTORS_UNSUPPORTED",
      `to pass descriptors, install the package ${PACKAGE}: npm install ${PACKAGE}`,
      error,
    );
  }
  const library = koffi.load(null);
  const socket = library.func("int socket(int, int, int)");
  const bind = library.func("int bind(int, const void *, unsigned int)");
  const listen = library.func("int listen(int, int)");
  const connect = library.func("int connect(int, const void *, unsigned int)");
  const accept = library.func("int accept4(int, void *, void *, int)");
  const socketpair = library.func("int socketpair(int, int, int, _Out_ int *)");
  const shutdown = library.func("int shutdown(int, int)");
  const fcntl = library.func("int fcntl(int, int, ...)");
  const setsockopt = library.func("int setsockopt(int, int, int, const void *, unsigned int)");
  const getsockopt = library.func("int getsockopt(int, int, int, _Out_ int *, _Inout_ unsigned int *)");
  const sendmsg = library.func("long sendmsg(int, void *, int)");
  const recvmsg = library.func("long recvmsg(int, void *, int)");
  return {
    bind: (fd, address) => bind(fd, address, address.length) as number,
    listen: (fd, backlog) => listen(fd, backlog) as number,
    connect: (fd, address) => connect(fd, address, address.length) as number,
    accept: (fd) => accept(fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC) as number,
    socket: () => socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) as number,
    socketPair: () => {
      const pair: [number, number] = [-1, -1];
      return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) === 0 ? pair : undefined;
    },
    sendMessage: (fd, message, flags) => Number(sendmsg(fd, message, flags)),
    receiveMessage: (fd, message, flags) => Number(recvmsg(fd, message, flags)),
    duplicate: (fd) => fcntl(fd, F_DUPFD_CLOEXEC, "int", 0) as number,
    endSending: (fd) => shutdown(fd, SHUT_WR) as number,
    limitSending: (fd, bytes) => setsockopt(fd, SOL_SOCKET, SO_SNDBUF, Int32Array.of(bytes), 4) as number,
    peerOf: (fd) => {
      const peer: [pid: number, uid: number, gid: number] = [0, 0, 0];
      if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, [peer.length * 4]) !== 0) return undefined;
      const [pid, uid, gid] = peer;
      return { pid, uid: uid >>> 0, gid: gid >>> 0 };
    },
    errno: () => koffi.errno(),
    allocate: (size) => {
      const pointer: unknown = koffi.alloc("uint8_t", size);
      const memory = koffi.view(pointer, size);
      new Uint8Array(memory).fill(0);
      return { address: koffi.address(pointer), memory };
    },
    watch: (fd, ready) => new PollWatch(koffi, fd, ready),
  };
}

/** A watch by the loop of Node itself: no thread, and no time spent while nothing happens. */
class PollWatch implements Watch {
  readonly #koffi: typeof Koffi;
  readonly #fd: number;
  readonly #ready: (failed: boolean) => void;
  #handle: Koffi.node.PollHandle | undefined;
  #readable = false;
  #writable = false;
  #isDue = false;
  #hasFailed = false;
  #isClosed = false;

  constructor(koffi: typeof Koffi, fd: number, ready: (failed: boolean) => void) {
    this.#koffi = koffi;
    this.#fd = fd;
    this.#ready = ready;
  }

  start(readable: boolean, writable: boolean): void {
    if (readable === this.#readable && writable === this.#writable) return;
    this.#readable = readable;
    this.#writable = writable;
    if (this.#handle === undefined)
      this.#handle = this.#koffi.node.poll(this.#fd, { readable, writable }, this.#onReady);
    else if (readable || writable) this.#handle.start({ readable, writable }, this.#onReady);
    else this.#handle.stop();
  }

  close(): void {
    this.#isClosed = true;
    this.#handle?.close();
    this.#handle = undefined;
  }

  /** A plain call, after which Node runs no promises: what it leads to is done in a turn of its own. */
  readonly #onReady = (status: unknown): void => {
    this.#hasFailed ||= typeof status === "number" && status < 0;
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (!this.#isClosed) this.#ready(this.#hasFailed);
    });
  };
}

/** What the last call that failed has to say. */
export function systemError(call: string, number: number = libc().errno()): Error {
  const code = getSystemErrorName(-number);
  return Object.assign(new Error(`${call}: ${code}`), { code, syscall: call });
}
