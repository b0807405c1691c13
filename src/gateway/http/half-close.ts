/** What happens to requests whose caller has ended its side of the connection. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import type { HttpConnection } from "./connection.ts";

/** What every response begins with, whatever its status. */
const RESPONSE_START = "HTTP/1.1 ";
/** A digit in front of the length of the next chunk that does not change it. */
const LEADING_ZERO = "0";
/** Readers of chunks take so many digits in front of a length for granted. */
const MAX_ZEROS = 6;

/**
 * When the caller is asked whether it is still there, in milliseconds after the end was read. Two are needed: the system of a
 * caller that is gone resets the connection after the first, which the second finds out.
 */
const PROBES_MS = [5, 15, 60, 250, 1_000, 5_000, 20_000, 60_000, 120_000] as const;
/** A caller that is heard nothing of until then has ended its side alone. */
export const DOUBT_MS = 1_000;

/**
 * A caller that has closed its connection and one that has only ended its side send the same. The first must cancel its
 * requests, the second gets its answers. So bytes of the answer are sent that are the same whatever the answer will be: the
 * beginning of its status line, or leading zeros of a chunk's length. The system of the first caller resets the connection,
 * the second one waits for the rest.
 */
export class HalfClose {
  readonly #socket: Socket;
  readonly #connection: HttpConnection;
  readonly #clock: Clock;
  readonly #onCleared: () => void;
  #timer: unknown;
  #probes = 0;
  /** Bytes of the next response that were sent already. */
  #sent = 0;
  #zeros = 0;
  #isProbe = false;
  /** False as long as the caller may have left altogether. */
  isCleared = false;

  /** `onCleared` is called when the caller is there for all that is known. */
  constructor(socket: Socket, connection: HttpConnection, clock: Clock, onCleared: () => void) {
    this.#socket = socket;
    this.#connection = connection;
    this.#clock = clock;
    this.#onCleared = onCleared;
    this.#arm(0);
  }

  /** To be called when the connection is over. */
  stop(): void {
    this.#clock.clear(this.#timer);
  }

  #arm(elapsed: number): void {
    const next = PROBES_MS[this.#probes];
    if (next !== undefined) this.#timer = this.#clock.after(next - elapsed, () => this.#tick(next));
  }

  #tick(elapsed: number): void {
    this.#probes++;
    if (this.#connection.pending.length === 0) return; // what was asked for is answered, and the last answer closes
    this.#probe();
    if (this.#socket.destroyed) return;
    if (elapsed === DOUBT_MS) {
      this.isCleared = true;
      this.#onCleared();
    }
    this.#arm(elapsed);
  }

  #probe(): void {
    const socket = this.#socket;
    if (socket.writableLength > 0 || socket.writableCorked > 0) return; // what is under way asks as well
    const front = this.#connection.pending.find(({ response }) => response.socket === socket);
    if (front === undefined) return; // a response that is decided goes before
    if (front.state !== "streaming") {
      if (this.#sent === 0) this.#skipWhatWasSent();
      this.#send(RESPONSE_START[this.#sent++] ?? "");
    } else if ((front.response as ServerResponse).chunkedEncoding && this.#zeros < MAX_ZEROS) {
      this.#zeros++;
      this.#send(LEADING_ZERO);
    }
  }

  #send(byte: string): void {
    this.#isProbe = true;
    this.#socket.write(byte, "latin1");
    this.#isProbe = false;
  }

  // oxlint-disable no-underscore-dangle, typescript/unbound-method -- so Node names what implements a stream; they are
  // called with their socket

  /** The next thing that is written is the head of a response, of which the first bytes were sent. */
  #skipWhatWasSent(): void {
    const socket = this.#socket;
    const { _write: write, _writev: writev } = socket;
    const rest = <Piece extends string | Buffer>(piece: Piece): Piece => {
      const left = piece.slice(this.#sent) as Piece; // of a string a string, of a buffer a view
      this.#sent = 0;
      socket._write = write;
      if (writev !== undefined) socket._writev = writev;
      return left;
    };
    socket._write = (piece: string | Buffer, encoding, callback) =>
      write.call(socket, this.#isProbe ? piece : rest(piece), encoding, callback);
    socket._writev = (pieces, callback) => {
      const [first] = pieces;
      if (first !== undefined) first.chunk = rest(first.chunk as string | Buffer); // the socket takes no others
      writev?.call(socket, pieces, callback);
    };
  }
  // oxlint-enable no-underscore-dangle, typescript/unbound-method
}
