/** What a client sends over one WebSocket in one turn of the loop, as text messages, so that it goes out in one write. */
import type { Duplex } from "node:stream";
import { KEY_SIZE, Mask, MaskKeys } from "./mask.ts";
import { headSize, writeHead } from "./text-frame.ts";

const MASKED = 0x80;
const FIRST_SIZE = 1_024;
/** What is larger goes out before the turn ends. */
const LARGEST_SIZE = 65_536;

export class ClientBatch {
  readonly #socket: Duplex;
  readonly #mask = new Mask();
  readonly #keys = new MaskKeys();
  #buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  #used = 0;
  #isScheduled = false;

  /** The socket of a WebSocket that is open. */
  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Bytes that the system has not taken yet. */
  get buffered(): number {
    return this.#used + this.#socket.writableLength;
  }

  /** One text message of one frame (RFC 6455, section 5.2), masked with a key of its own. */
  add(text: string): void {
    const length = Buffer.byteLength(text);
    const size = headSize(length) + KEY_SIZE + length;
    if (this.#used + size > this.#buffer.length) this.#makeRoom(size);
    const buffer = this.#buffer;
    const at = this.#used;
    const keyAt = writeHead(buffer, at, length);
    buffer[at + 1]! |= MASKED;
    this.#keys.next(this.#mask.key);
    buffer.set(this.#mask.key, keyAt);
    const start = keyAt + KEY_SIZE;
    buffer.write(text, start, "utf8");
    this.#mask.apply(buffer, start, start + length, 0);
    this.#used = start + length;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  /** Writes what waits. */
  write(): void {
    if (this.#used === 0) return;
    const socket = this.#socket;
    const buffer = this.#buffer;
    const bytes = buffer.subarray(0, this.#used);
    this.#used = 0;
    if (!socket.writable) return;
    socket.write(bytes);
    // Else the socket still holds it.
    if (socket.writableLength > 0 || buffer.length > LARGEST_SIZE)
      this.#buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    this.write();
  };

  #makeRoom(size: number): void {
    if (this.#used + size > LARGEST_SIZE) this.write();
    if (this.#used + size <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(this.#used + size)));
    larger.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = larger;
  }
}
