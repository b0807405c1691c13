import { Socket, type OnReadOpts } from "node:net";

/** What one read takes at the most. */
const READ_SIZE = 65_536;

/**
 * Reads of a socket into one buffer that is used again and again. Node by itself makes a buffer of 64 KiB for every read,
 * which costs more than all the frames in it.
 */
export class SocketReads {
  /** Given to the socket when it is made. */
  readonly onread: OnReadOpts;
  /** Told of every read. The bytes are the buffer's: they last until it returns. */
  receive: (bytes: Uint8Array) => void = () => undefined;

  /** Sockets may share a buffer: a read is handed on before the next one begins. */
  constructor(buffer: Uint8Array = readBuffer()) {
    const { buffer: memory, byteOffset } = buffer;
    this.onread = {
      buffer,
      callback: (size) => {
        this.receive(new Uint8Array(memory, byteOffset, size));
        return true;
      },
    };
  }
}

/** A buffer for the reads of any number of sockets. */
export function readBuffer(): Uint8Array {
  return Buffer.allocUnsafeSlow(READ_SIZE); // uninitialised memory is safe: only what was read is ever looked at
}

/** A socket's handle is private to Node, and so is the option that makes a socket of one. */
interface HandleOwner {
  _handle: { readonly useUserBuffer?: unknown } | null;
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
