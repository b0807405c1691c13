import type { Duplex } from "node:stream";
import { WebSocket, type RawData } from "ws";
import { viewOf } from "../../message/bytes.ts";
import type { PeerIdentity } from "../../message/peer-identity.ts";
import { unsentOf } from "../socket-reads.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";
import { MAX_MESSAGE, WS_WINDOW, closeError } from "../ws-limits.ts";
import type { WsFramer } from "./framer.ts";

const NOTHING = new Uint8Array(0);

/**
 * Bounds of what the other end may make us hold, for both ends.
 *
 * Fragments and chunks cost memory besides their bytes, so their number is bounded too: the fragments so that the largest
 * message may come in pieces of 16 bytes, the chunks so that it may come in pieces of a small packet.
 */
export const WS_SETTINGS: {
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
  readonly perMessageDeflate: false;
  readonly closeTimeout: number;
} = {
  maxPayload: MAX_MESSAGE,
  maxFragments: 131_072,
  maxBufferedChunks: 16_384,
  perMessageDeflate: false,
  /** Time for the other end to answer a close. Milliseconds. */
  closeTimeout: 2_000,
};

export interface WsConnectionOptions {
  /** The principal at the other end. */
  readonly remote: string;
  /** What is proven about the other end; called when it is needed. */
  readonly identify?: (() => PeerIdentity) | undefined;
  /** What the WebSocket speaks through. */
  readonly socket: Duplex;
  /** Writes the messages; it may be shared. */
  readonly framer: WsFramer;
}

/**
 * A connection over a WebSocket. Its bytes are a stream, cut into binary messages anyhow.
 *
 * `ws` does the handshake, reads, and speaks in control frames. Messages are written past it: its masking would cost
 * more than the rest of a client.
 */
export class WsConnection implements Connection {
  readonly remote: string;
  readonly #identify: (() => PeerIdentity) | undefined;
  readonly #websocket: WebSocket;
  readonly #socket: Duplex;
  readonly #framer: WsFramer;
  /** Bytes that may be under way before `send` asks to wait. A write to a TLS socket is never done at once. */
  readonly #window: number;
  #handler: ConnectionHandler | undefined;
  #error: Error | undefined;
  #over = false;
  // Not asked of `writableLength`: pongs may be waiting there too.
  readonly #onWritten = (error?: Error | null): void => {
    if (error === undefined || error === null) this.#handler?.drained();
  };

  /** The WebSocket must be open. Nothing is read until `open`. */
  constructor(websocket: WebSocket, { remote, identify, socket, framer }: WsConnectionOptions) {
    this.#identify = identify;
    this.#websocket = websocket;
    this.#socket = socket;
    this.#framer = framer;
    this.#window = "encrypted" in socket ? WS_WINDOW : 0;
    this.remote = remote;
    websocket.pause();
    websocket.on("error", (error) => {
      this.#error = error; // 'close' follows and reports it
    });
    websocket.on("close", (code, reason) => {
      this.#error ??= closeError(code, reason.toString());
      this.#over = true;
      this.#tellOver();
    });
  }

  get identity(): PeerIdentity | undefined {
    return this.#identify?.();
  }

  open(handler: ConnectionHandler): void {
    const websocket = this.#websocket;
    this.#handler = handler;
    if (this.#over) {
      setImmediate(() => this.#tellOver());
      return;
    }
    websocket.on("message", (data, isBinary) => this.#received(data, isBinary));
    websocket.resume();
  }

  send(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    // `closed` is on its way; the bytes have nowhere to go
    if (this.#websocket.readyState !== WebSocket.OPEN || !socket.writable) return true;
    if (bytes.length <= MAX_MESSAGE) this.#framer.write(socket, bytes);
    else this.#sendParts(bytes);
    if (socket.writableLength <= this.#window) return true;
    socket.write(NOTHING, this.#onWritten);
    return false;
  }

  read(going: boolean): void {
    if (going) this.#websocket.resume();
    else this.#websocket.pause();
  }

  get unsent(): number {
    return unsentOf(this.#socket);
  }

  close(): void {
    this.#websocket.close(1000);
  }

  abort(): void {
    this.#websocket.terminate();
  }

  #sendParts(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += MAX_MESSAGE) {
      this.#framer.write(this.#socket, viewOf(bytes, at, Math.min(at + MAX_MESSAGE, bytes.length)));
    }
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#websocket.readyState !== WebSocket.OPEN) return; // it was closed for what came before
    if (!isBinary) return this.#websocket.close(1003, "only binary messages are accepted");
    const bytes = data as Buffer; // what binary messages are, unless another form is asked for
    if (bytes.length > 0) this.#handler?.data(bytes, true);
  }

  #tellOver(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(this.#error);
  }
}
