/** One WebSocket of a foreign protocol: text messages in both directions. */
import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, type RawData } from "ws";
import type { Limits } from "../../message/limits.ts";
import type { PeerIdentity } from "../../message/peer-identity.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Heartbeat } from "../../runtime/heartbeat.ts";
import { unsentOf } from "../socket-reads.ts";
import { WS_WINDOW, closeError } from "../ws-limits.ts";
import { FrameBatch, type WriteQueue } from "./frame-batch.ts";

/** Longest reason of a close, in bytes (RFC 6455, section 5.5). */
const MAX_REASON = 123;
/** A socket that was full is full until less than this waits. Above what Node signals `drain` for. */
const LOW_WATER = WS_WINDOW / 2;

export interface MessageSocketEvents {
  /**
   * One message, in the order of arrival. Text need not be UTF-8: check with `isUtf8`. The bytes are the receiver's to keep.
   * After `read(false)` a few may still come.
   */
  message(data: Buffer, isBinary: boolean): void;
  /** There is room again: follows a `send` that returned false. */
  drained(): void;
  /** The WebSocket is over. Called once, last; `error` says what was wrong, if anything was. */
  closed(error: Error | undefined): void;
}

/** How a silent peer is found out. */
export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "heartbeat" | "heartbeatTimeout">;
}

export interface MessageSocketOptions {
  /** The other end, for logs and as the origin of what it asks. */
  readonly remote: string;
  /** What is proven about the other end; called when it is needed. */
  readonly identify: (() => PeerIdentity) | undefined;
  readonly socket: Duplex;
  readonly queue: WriteQueue;
  readonly heartbeat: HeartbeatOptions | undefined;
}

export class MessageSocket {
  readonly remote: string;
  /** The path of the handshake, as it was sent. */
  readonly path: string;
  /** Its query. */
  readonly query: URLSearchParams;
  /** The headers of the handshake. */
  readonly headers: IncomingHttpHeaders;
  readonly #identify: (() => PeerIdentity) | undefined;
  readonly #websocket: WebSocket;
  readonly #socket: Duplex;
  readonly #batch: FrameBatch;
  readonly #heartbeat: Heartbeat | undefined;
  #events: MessageSocketEvents | undefined;
  #error: Error | undefined;
  #isFull = false;
  #isOver = false;

  /** The WebSocket must be open. Nothing is read until `open`. */
  constructor(websocket: WebSocket, request: IncomingMessage, options: MessageSocketOptions) {
    const { remote, identify, socket, queue, heartbeat } = options;
    const [path, query] = splitOnce(request.url ?? "/", "?");
    this.remote = remote;
    this.path = path;
    this.query = new URLSearchParams(query);
    this.headers = request.headers;
    this.#identify = identify;
    this.#websocket = websocket;
    this.#socket = socket;
    this.#batch = new FrameBatch(socket, queue, () => this.#settle());
    if (heartbeat !== undefined) {
      this.#heartbeat = new Heartbeat(heartbeat.clock, heartbeat.limits, {
        ping: () => websocket.ping(),
        lost: () => this.#lost(),
      });
    }
    websocket.pause();
    websocket.on("error", (error) => {
      this.#error = error; // 'close' follows and reports it
    });
    websocket.on("close", (code, reason) => {
      this.#error ??= closeError(code, reason.toString());
      this.#over();
    });
  }

  /** What is proven about the other end, determined when it is called. */
  get identity(): PeerIdentity | undefined {
    return this.#identify?.();
  }

  /** False once a close was asked for from either end: what is sent then goes nowhere. */
  get isOpen(): boolean {
    return this.#websocket.readyState === WebSocket.OPEN;
  }

  /** Bytes that the system has not taken yet. */
  get buffered(): number {
    return this.#batch.size + this.#socket.writableLength;
  }

  /** Bytes of frames that the system has taken since the start: it does not grow while the other end does not read. */
  get taken(): number {
    return this.#batch.sent - this.#batch.size - unsentOf(this.#socket);
  }

  /** Starts the flow of events. Called once. */
  open(events: MessageSocketEvents): void {
    const websocket = this.#websocket;
    this.#events = events;
    if (this.#isOver) {
      setImmediate(() => this.#tellOver());
      return;
    }
    websocket.on("message", (data, isBinary) => this.#received(data, isBinary));
    this.#socket.on("drain", () => this.#settle());
    if (this.#heartbeat !== undefined) {
      this.#socket.prependListener("data", () => this.#heartbeat?.heard());
      this.#heartbeat.start();
    }
    websocket.resume();
  }

  /**
   * Sends one text message; bytes must be UTF-8. All messages of a turn of the loop go out together. False: so much waits that the
   * sender should pause, and `drained` follows; what is sent meanwhile is kept.
   */
  send(text: string | Uint8Array): boolean {
    if (!this.#canWrite) return true; // `closed` is on its way
    this.#batch.addText(text);
    return this.#hasRoom();
  }

  /** As `send`, of what `textFrame` has made: for messages that go to many. */
  sendFrame(frame: Uint8Array): boolean {
    if (!this.#canWrite) return true;
    this.#batch.addFrame(frame);
    return this.#hasRoom();
  }

  /** Whether messages are read. While they are not, the other end is held back, and its silence is not counted. */
  read(going: boolean): void {
    if (this.#isOver || going !== this.#websocket.isPaused) return;
    if (going) {
      this.#websocket.resume();
      this.#heartbeat?.release();
    } else {
      this.#websocket.pause();
      this.#heartbeat?.hold();
    }
  }

  /** Sends what waits and then the close. A reason that is too long is cut. An end that does not answer is cut off in two seconds. */
  close(code: number, reason: string): void {
    if (this.#canWrite) this.#batch.write();
    this.#websocket.resume(); // else its answer to the close would not be read
    this.#websocket.close(code, cut(reason));
  }

  /** Ends at once. */
  abort(): void {
    this.#websocket.terminate();
  }

  get #canWrite(): boolean {
    return this.isOpen && this.#socket.writable;
  }

  #hasRoom(): boolean {
    if (this.buffered > WS_WINDOW) this.#isFull = true;
    return !this.#isFull;
  }

  #settle(): void {
    if (!this.#isFull || this.buffered > LOW_WATER) return;
    this.#isFull = false;
    this.#events?.drained();
  }

  #received(data: RawData, isBinary: boolean): void {
    // After a close from this end, what had come before the other end knew of it has no meaning.
    if (this.isOpen) this.#events?.message(data as Buffer, isBinary); // what messages are, unless another form is asked for
  }

  #lost(): void {
    this.#error = new Error("the other end missed its heartbeat");
    this.#websocket.terminate();
  }

  #over(): void {
    this.#isOver = true;
    this.#heartbeat?.stop();
    this.#batch.clear();
    this.#tellOver();
  }

  #tellOver(): void {
    const events = this.#events;
    this.#events = undefined;
    events?.closed(this.#error);
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** The beginning of a text that fits into a close, with no character cut in two. */
function cut(reason: string): string {
  let bytes = Buffer.from(reason).subarray(0, MAX_REASON);
  while (!isUtf8(bytes)) bytes = bytes.subarray(0, -1);
  return bytes.toString();
}
