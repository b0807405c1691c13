import type { OnReadOpts, Socket } from "node:net";
import type { Connection, ConnectionHandler } from "./transport.ts";

const NOTHING = new Uint8Array(0);
const READ_SIZE = 65_536;

/**
 * A read buffer that a dialed socket fills again and again, instead of allocating one for each read. The connection is
 * made with `options` and then given to the `SocketConnection` that reads from it.
 */
export class ReadBuffer {
  readonly #buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  onData: (bytes: Uint8Array) => void = () => undefined;

  get options(): OnReadOpts {
    return {
      buffer: this.#buffer,
      callback: (size) => {
        this.onData(this.#buffer.subarray(0, size));
        return true;
      },
    };
  }
}

/** A connection over a stream socket: what TCP and unix sockets share. */
export class SocketConnection implements Connection {
  readonly remote: string;
  readonly #socket: Socket;
  readonly #reading: ReadBuffer | undefined;
  #handler: ConnectionHandler | undefined;
  #error: Error | undefined;
  readonly #onWritten = (): void => {
    if (this.#socket.writableLength === 0) this.#handler?.drained();
  };

  constructor(socket: Socket, remote: string, reading?: ReadBuffer) {
    this.#socket = socket;
    this.remote = remote;
    this.#reading = reading;
    socket.on("error", (error) => {
      this.#error = error; // 'close' follows and reports it
    });
  }

  open(handler: ConnectionHandler): void {
    const socket = this.#socket;
    this.#handler = handler;
    if (this.#reading === undefined) {
      socket.on("data", (chunk: Buffer) => handler.data(chunk));
    } else {
      this.#reading.onData = (bytes) => handler.data(bytes);
      socket.resume();
    }
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      this.#handler = undefined;
      handler.closed(this.#error);
    });
  }

  send(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (!socket.writable) return true; // 'close' is on its way; the bytes have nowhere to go
    socket.write(bytes);
    if (socket.writableLength === 0) return true;
    // 'drain' never fires below the high-water mark: the callback of an empty write tells the end instead.
    socket.write(NOTHING, this.#onWritten);
    return false;
  }

  close(): void {
    this.#socket.end();
  }

  abort(): void {
    this.#socket.destroy();
  }
}
