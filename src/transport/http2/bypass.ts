import { constants, type Http2Stream } from "node:http2";
import { copyOf } from "../../message/bytes.ts";
import { YoungGarbage } from "../young-garbage.ts";
import type { Bypass, BypassHandler } from "../transport.ts";

/** G-10: what both ends call the bytes of a bypass. */
export const BYPASS_TYPE = "application/lintel.v1+bypass";

/** G-11: names the bypass, and proves that its sender is at the other end of the connection. */
export const BYPASS_HEADER = "lintel-bypass";

/** Bypasses of one session. With its own stream they stay below what an HTTP/2 connection may have. */
export const MAX_BYPASSES = 64;

/** Bytes one bypass may have under way before `send` asks to wait. All of them stay below the memory Node gives a session. */
const WINDOW = 65_536;

/** One bypass, at either end of its HTTP/2 stream. */
export class Http2Bypass implements Bypass {
  readonly #stream: Http2Stream;
  readonly #sends: boolean;
  readonly #onOpen: () => void;
  #handler: BypassHandler | undefined;
  readonly #garbage = new YoungGarbage();
  #pending = 0;
  #isFull = false;
  /** There is room again when no more than this is under way. */
  #low = WINDOW / 2;

  /** `onOpen` is called when it is first used. */
  constructor(stream: Http2Stream, sends: boolean, onOpen: () => void = () => undefined) {
    this.#stream = stream;
    this.#sends = sends;
    this.#onOpen = onOpen;
  }

  open(handler: BypassHandler): void {
    const stream = this.#stream;
    this.#handler = handler;
    stream.on("close", () => this.#over());
    if (stream.closed || stream.destroyed) {
      setImmediate(() => this.#over());
      return;
    }
    this.#onOpen();
    stream.on("data", (chunk: Buffer) => {
      this.#garbage.add(chunk.length);
      if (this.#sends) this.abort(); // nothing comes against the direction
      else this.#handler?.data(chunk);
    });
    stream.on("end", () => {
      if (!this.#sends) stream.end();
    });
    this.read(this.#sends);
  }

  send(bytes: Uint8Array, isOwn = false): boolean {
    const stream = this.#stream;
    if (!stream.writable || stream.destroyed) return true; // its end is on its way
    const size = bytes.length;
    this.#pending += size;
    if (this.#pending >= WINDOW) this.#isFull = true;
    if (this.#isFull && !isOwn) this.#low = 0;
    stream.write(isOwn || this.#isFull ? bytes : copyOf(bytes, 0, size), () => {
      this.#pending -= size;
      if (!this.#isFull || this.#pending > this.#low) return;
      this.#isFull = false;
      this.#low = WINDOW / 2;
      this.#handler?.drained();
    });
    return !this.#isFull;
  }

  end(): void {
    this.#stream.end();
  }

  read(going: boolean): void {
    if (going) this.#stream.resume();
    else this.#stream.pause();
  }

  abort(): void {
    cutOff(this.#stream);
  }

  #over(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed();
  }
}

/** Resets a stream. Without a code Node 20 may never return: it looks for a way to send what can not be sent any more. */
export function cutOff(stream: Http2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
  stream.destroy();
}
