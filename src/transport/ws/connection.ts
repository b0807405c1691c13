import { WebSocket, type RawData } from "ws";
import { copyOf, viewOf } from "../../message/bytes.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";
import { MAX_MESSAGE, closeError } from "../ws-limits.ts";

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
  /** Who is at the other end. */
  readonly remote: string;
  /** Bytes that may be under way before `send` asks to wait; 0 where a write is done at once or not at all. */
  readonly window: number;
  /** The socket may keep what is written to it. False for a client's, whose bytes are copied to be masked. */
  readonly keeps: boolean;
}

/** A connection over a WebSocket. Its bytes are a stream, cut into binary messages anyhow. */
export class WsConnection implements Connection {
  readonly remote: string;
  readonly #websocket: WebSocket;
  readonly #window: number;
  readonly #keeps: boolean;
  #handler: ConnectionHandler | undefined;
  #error: Error | undefined;
  #over = false;
  /** Writes that have not been handed to the system. */
  #pending = 0;
  #full = false;
  readonly #onWritten = (error?: Error | null): void => {
    this.#pending--;
    if (!this.#full || this.#pending > 0 || (error !== undefined && error !== null)) return;
    this.#full = false;
    this.#handler?.drained();
  };

  /** The WebSocket must be open. Nothing is read until `open`. */
  constructor(websocket: WebSocket, { remote, window, keeps }: WsConnectionOptions) {
    this.#websocket = websocket;
    this.remote = remote;
    this.#window = window;
    this.#keeps = keeps;
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
    if (bytes.length > MAX_MESSAGE) return this.#sendParts(bytes);
    const websocket = this.#websocket;
    if (websocket.readyState !== WebSocket.OPEN) return true; // `closed` is on its way; the bytes have nowhere to go
    const fits = websocket.bufferedAmount + bytes.length <= this.#window;
    this.#pending++;
    websocket.send(fits && this.#keeps ? copyOf(bytes, 0, bytes.length) : bytes, this.#onWritten);
    if (fits || websocket.bufferedAmount === 0) return true;
    this.#full = true;
    return false;
  }

  close(): void {
    this.#websocket.close(1000);
  }

  abort(): void {
    this.#websocket.terminate();
  }

  #sendParts(bytes: Uint8Array): boolean {
    let taken = true;
    for (let at = 0; at < bytes.length; at += MAX_MESSAGE) {
      taken = this.send(viewOf(bytes, at, Math.min(at + MAX_MESSAGE, bytes.length))) && taken;
    }
    return taken;
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#websocket.readyState !== WebSocket.OPEN) return; // it was closed for what came before
    if (!isBinary) return this.#websocket.close(1003, "only binary messages are taken here");
    const bytes = data as Buffer; // what binary messages are, unless another form is asked for
    if (bytes.length > 0) this.#handler?.data(bytes);
  }

  #tellOver(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(this.#error);
  }
}
