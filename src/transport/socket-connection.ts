import type { Socket } from "node:net";
import type { PeerIdentity } from "../message/peer-identity.ts";
import { copyOf } from "../message/bytes.ts";
import { SlicedWork } from "../runtime/sliced-work.ts";
import { SocketReads, takeOver, unsentOf } from "./socket-reads.ts";
import { YoungGarbage } from "./young-garbage.ts";
import type { Connection, ConnectionHandler, DescriptorPassing } from "./transport.ts";

const NOTHING = new Uint8Array(0);

export interface SocketConnectionOptions {
  /** The principal at the other end. */
  readonly remote: string;
  /**
   * Bytes that may be under way as copies before `send` asks to wait. Default 0: a write that the system takes at once
   * needs no copy. One that is never done at once, as with TLS, would ask to wait every time.
   */
  readonly window?: number;
  /** What is proven about the other end; called when it is needed. */
  readonly identify?: (() => PeerIdentity) | undefined;
  /** Says for people what an error of the socket means. */
  readonly explain?: (error: Error) => Error;
  /** How descriptors get to the other end, if they can. */
  readonly descriptors?: DescriptorPassing | undefined;
  /** How the socket reads, if it was told so when it was made. Default: as Node does by itself. */
  readonly reads?: SocketReads | undefined;
  /** Closes sockets whose other end has left. Default: each at once. */
  readonly closing?: SlicedWork | undefined;
}

/** Sockets of one listener that are closed in a turn: each takes the loop some 50 microseconds, with all that hangs on it. */
const CLOSED_PER_TURN = 100;

/** For the connections of one listener: thousands may leave in the same moment, as when one program held them all. */
export function closeInSlices(): SlicedWork {
  return new SlicedWork(setImmediate, CLOSED_PER_TURN);
}

/** A connection over a stream socket: what TCP, TLS and unix sockets share. */
export class SocketConnection implements Connection {
  readonly remote: string;
  lend?: (bytes: Uint8Array, freed: () => void) => boolean;
  readonly sendBoth?: (bytes: Uint8Array, body: Uint8Array) => boolean;
  readonly descriptors: DescriptorPassing | undefined;
  readonly #identify: (() => PeerIdentity) | undefined;
  readonly #socket: Socket;
  readonly #window: number;
  readonly #reads: SocketReads | undefined;
  readonly #closing: SlicedWork | undefined;
  #handler: ConnectionHandler | undefined;
  /** The other end has said all it had to say, and reads nothing more. */
  #hasLeft = false;
  #error: Error | undefined;
  readonly #onWritten = (): void => {
    if (this.#socket.writableLength === 0) this.#handler?.drained();
  };

  constructor(
    socket: Socket,
    {
      remote,
      window = 0,
      identify,
      explain = (error) => error,
      reads,
      descriptors,
      closing,
    }: SocketConnectionOptions,
  ) {
    this.#socket = socket;
    this.#identify = identify;
    this.#window = window;
    this.#reads = reads;
    this.#closing = closing;
    this.remote = remote;
    if (window === 0) this.sendBoth = (bytes, body) => this.#sendBoth(bytes, body);
    else this.lend = (bytes, freed) => this.#lend(bytes, freed);
    this.descriptors = descriptors;
    socket.on("error", (error) => {
      this.#error = explain(error); // 'close' follows and reports it
    });
  }

  /** A connection on a socket that was accepted with `pauseOnConnect`; it reads into `buffer` where that can be had. */
  static accepted(
    socket: Socket,
    buffer: Uint8Array,
    remote: string,
    descriptors?: (socket: Socket) => DescriptorPassing | undefined,
    closing?: SlicedWork,
    identify?: (socket: Socket) => PeerIdentity,
  ): SocketConnection {
    const reads = new SocketReads(buffer);
    const reading = takeOver(socket, reads);
    const used = reading ?? socket;
    return new SocketConnection(used, {
      remote,
      reads: reading === undefined ? undefined : reads,
      descriptors: descriptors?.(used),
      closing,
      identify: identify && ((): PeerIdentity => identify(used)),
    });
  }

  get identity(): PeerIdentity | undefined {
    return this.#identify?.();
  }

  open(handler: ConnectionHandler): void {
    const socket = this.#socket;
    const reads = this.#reads;
    this.#handler = handler;
    if (reads === undefined) this.#readAsNode(handler);
    else reads.receive = (bytes, isOffered) => handler.data(bytes, isOffered) === true;
    socket.resume();
    socket.on("end", () => {
      this.#hasLeft = true;
      if (this.#closing === undefined) socket.end();
      else this.#closing.run(() => this.#end());
    });
    const over = (): void => {
      this.#handler = undefined;
      handler.closed(this.#error);
    };
    if (socket.closed) setImmediate(over);
    else socket.on("close", over);
  }

  #readAsNode(handler: ConnectionHandler): void {
    const garbage = new YoungGarbage();
    this.#socket.on("data", (chunk: Buffer) => {
      garbage.add(chunk.length);
      handler.data(chunk, true);
    });
  }

  send(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (!socket.writable || this.#hasLeft) return true; // 'close' is on its way; the bytes have nowhere to go
    if (socket.writableLength + bytes.length <= this.#window) {
      socket.write(copyOf(bytes, 0, bytes.length));
      return true;
    }
    socket.write(bytes);
    return this.#isDone();
  }

  #lend(bytes: Uint8Array, freed: () => void): boolean {
    const socket = this.#socket;
    if (!socket.writable || this.#hasLeft) return true;
    if (socket.writableLength + bytes.length > this.#window) {
      socket.write(bytes);
      const isDone = this.#isDone();
      if (isDone) freed();
      return isDone;
    }
    socket.write(bytes, (error) => {
      if (!error) freed();
    });
    return true;
  }

  #sendBoth(bytes: Uint8Array, body: Uint8Array): boolean {
    const socket = this.#socket;
    if (!socket.writable || this.#hasLeft) return true;
    socket.cork();
    socket.write(bytes);
    socket.write(body);
    socket.uncork();
    return this.#isDone();
  }

  /** True when the system has taken everything; otherwise `drained` follows. */
  #isDone(): boolean {
    const socket = this.#socket;
    if (socket.writableLength === 0) return true;
    // 'drain' never fires below the high-water mark: the callback of an empty write tells the end instead.
    socket.write(NOTHING, this.#onWritten);
    return false;
  }

  read(going: boolean): void {
    if (going) this.#socket.resume();
    else this.#socket.pause();
  }

  get unsent(): number {
    return unsentOf(this.#socket);
  }

  close(): void {
    this.#socket.end();
  }

  #end(): false {
    this.#socket.end();
    return false;
  }

  abort(): void {
    this.#socket.destroy();
  }
}
