import { Socket, type OnReadOpts } from "node:net";
import type { Duplex } from "node:stream";

/** Memory that is read into. Bytes. */
const READ_SIZE = 262_144;
/** Reads from this size on are offered, and the next one goes behind what was taken, where this much room is left. */
const LEAST_OFFER = 16_384;
const LEAST_ROOM = 65_536;

/**
 * Reads of a socket into one buffer that is used again and again. Node by itself makes a buffer of 64 KiB for every read,
 * which costs more than all the frames in it.
 */
export class SocketReads {
  /** Given to the socket when it is made. */
  readonly onread: OnReadOpts;
  /**
   * Called with every read. The bytes are the buffer's: they last until it returns. If they are offered they may be kept
   * instead, and true says so.
   */
  receive: (bytes: Uint8Array, isOffered: boolean) => boolean = () => false;

  /** Sockets may share a buffer: a read is passed on before the next one begins. Its content must not be kept. */
  constructor(shared?: Uint8Array) {
    const isOwn = shared === undefined;
    let room = shared ?? readBuffer();
    this.onread = {
      buffer: () => room,
      callback: (size) => {
        const bytes = new Uint8Array(room.buffer, room.byteOffset, size);
        if (this.receive(bytes, isOwn && size >= LEAST_OFFER)) room = roomBehind(room, size);
        return true;
      },
    };
  }
}

function roomBehind(room: Uint8Array, used: number): Uint8Array {
  return room.length - used >= LEAST_ROOM ? room.subarray(used) : readBuffer();
}

/** A buffer for the reads of any number of sockets. */
export function readBuffer(): Uint8Array {
  return Buffer.allocUnsafeSlow(READ_SIZE); // uninitialised memory is safe: only what was read is ever looked at
}

/** A socket's handle is private to Node, and so is the option that makes a socket of one. */
interface HandleOwner {
  _handle?: SocketHandle | null;
}

export interface SocketHandle {
  readonly useUserBuffer?: unknown;
  /** The descriptor; below 0 where there is none. */
  readonly fd: number;
  reading: boolean;
  /** Bytes that were written and the system has not taken. */
  readonly writeQueueSize?: number;
  readStart(): number;
  readStop(): number;
}

/** Bytes that a stream, be it a socket or not, was given and the system has not taken yet. */
export function unsentOf(stream: Duplex): number {
  // The handle knows what of a write the system has taken. Over TLS that of Node 24 says 0 in any case.
  return handleOf(stream)?.writeQueueSize || stream.writableLength;
}

/** What a socket reads and writes with, while it is open. */
export function handleOf(socket: Duplex): SocketHandle | null {
  // oxlint-disable-next-line no-underscore-dangle -- its name in Node
  return (socket as unknown as HandleOwner)._handle ?? null;
}

/**
 * A socket that reads as `reads` says, in place of one that was accepted with `pauseOnConnect`: a server cannot be told how
 * its sockets shall read, so another socket takes the handle over. Undefined where the handle is not as expected.
 */
export function takeOver(socket: Socket, reads: SocketReads): Socket | undefined {
  const owner = socket as unknown as HandleOwner;
  // oxlint-disable no-underscore-dangle -- its name in Node
  const handle = owner._handle;
  if (typeof handle?.useUserBuffer !== "function") return undefined;
  owner._handle = null;
  // oxlint-enable no-underscore-dangle
  const options = { handle, allowHalfOpen: true, onread: reads.onread };
  return new Socket(options);
}
