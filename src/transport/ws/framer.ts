import type { Duplex } from "node:stream";
import { KEY_SIZE, Mask, MaskKeys } from "./mask.ts";

/** FIN and the opcode of a binary message. */
const BINARY_MESSAGE = 0x82;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
/** The longest head: two bytes, a length of 64 bits, a key. */
const MAX_HEAD = 14;
/** Size of the largest buffer that is used again. What a session writes at a time fits in. */
const LARGEST_KEPT = 263_168 + MAX_HEAD;

/**
 * Writes binary messages of one frame (RFC 6455, section 5.2) to the socket of a WebSocket: in one piece, masked a word
 * at a time, and without an allocation where the system takes a write at once. Control frames are left to `ws`.
 */
export class WsFramer {
  readonly #mask: Mask | undefined;
  readonly #keys: MaskKeys | undefined;
  /** Not in any socket's hands. */
  #spare: Uint8Array | undefined;

  /** A client's frames are masked, each with an unpredictable key of its own (section 5.3). */
  constructor(role: "client" | "server") {
    this.#mask = role === "client" ? new Mask() : undefined;
    this.#keys = role === "client" ? new MaskKeys() : undefined;
  }

  /** Writes a copy of the payload as one message. Sockets may share a framer. */
  write(socket: Duplex, payload: Uint8Array): void {
    const buffer = this.#take(payload.length + MAX_HEAD);
    let at = this.#writeHead(buffer, payload.length);
    buffer.set(payload, at);
    if (this.#mask !== undefined) this.#mask.apply(buffer, at, at + payload.length, 0);
    at += payload.length;
    socket.write(buffer.subarray(0, at));
    if (socket.writableLength === 0 && buffer.length <= LARGEST_KEPT) this.#spare = buffer;
  }

  /** The buffer grows with what is sent: most connections that are idle never sent much. */
  #take(size: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && spare.length >= size) return spare;
    const rounded = Math.min(LARGEST_KEPT, 2 ** Math.ceil(Math.log2(size)));
    return Buffer.allocUnsafeSlow(Math.max(size, rounded));
  }

  /** Returns where the payload begins. */
  #writeHead(buffer: Uint8Array, length: number): number {
    const flag = this.#mask === undefined ? 0 : MASKED;
    buffer[0] = BINARY_MESSAGE;
    let at = 2;
    if (length < LENGTH_16) {
      buffer[1] = flag | length;
    } else {
      const size = length < 65_536 ? 2 : 8;
      buffer[1] = flag | (size === 2 ? LENGTH_16 : LENGTH_64);
      at += size;
      for (let rest = length, index = at - 1; index >= 2; index--, rest = Math.floor(rest / 256)) {
        buffer[index] = rest;
      }
    }
    if (this.#mask === undefined) return at;
    this.#keys?.next(this.#mask.key);
    buffer.set(this.#mask.key, at);
    return at + KEY_SIZE;
  }
}
