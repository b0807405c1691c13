import type { Socket } from "node:net";
import { keptPayload } from "../../stream/receive-queue.ts";
import type { Failure } from "../../message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../message/message.ts";
import { CreditPump, type PumpSource } from "../../stream/credit-pump.ts";
import { INITIAL_CREDIT, takeBytes } from "../../stream/stream.ts";
import { cutOff } from "../../transport/sockets.ts";
import type { TunnelLimits } from "./options.ts";

/** What the other end may send ahead of the socket. Bytes. */
const WINDOW = 262_144;
/** Credit is given in steps of this. */
const STEP = WINDOW / 4;

/**
 * A socket and the end of a stream as one connection. Each direction ends by itself, each runs at the speed of its reader, and
 * what cuts one off cuts off the other: a stream that is reset is a connection reset, never an end that looks complete.
 */
export class SocketStream implements StreamEvents, PumpSource {
  readonly #socket: Socket;
  readonly #end: StreamEnd;
  readonly #onClosed: (why: Failure | undefined) => void;
  readonly #idleTimeoutMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #why: Failure | undefined;
  // From the socket into the stream.
  readonly #pump: CreditPump;
  #readAll = false;
  /** The socket is over, and what it sent last still waits for credit. */
  #lingers = false;
  // From the stream to the socket.
  #receiving = true;
  #arrived = 0;
  #allowed = WINDOW;

  /** The socket keeps half-open connections. `onClosed` is told why, unless both directions have come to their ends. */
  constructor(
    socket: Socket,
    end: StreamEnd,
    limits: TunnelLimits,
    onClosed: (why: Failure | undefined) => void,
  ) {
    const { idleTimeoutMs, maxDurationMs } = limits;
    this.#socket = socket;
    this.#end = end;
    this.#pump = new CreditPump(end, this);
    this.#onClosed = onClosed;
    this.#idleTimeoutMs = idleTimeoutMs;
    let error: Error | undefined;
    socket.on("error", (cause) => {
      error = cause; // 'close' follows
    });
    socket.on("close", () => this.#closed(error));
    socket.on("data", (chunk: Buffer) => this.#pump.push(Message.ofBytes(chunk)));
    socket.on("end", () => {
      this.#readAll = true;
      this.#pump.finish();
    });
    if (idleTimeoutMs !== Infinity) {
      socket.setTimeout(idleTimeoutMs, () => this.#idle());
    }
    if (maxDurationMs !== Infinity) {
      const why = expired("TIME_UP", `the connection has reached its limit of ${maxDurationMs / 1000} s`);
      this.#timer = setTimeout(() => this.abort(why), maxDurationMs);
    }
    end.listen(this);
    takeBytes(end);
    end.grant(WINDOW - INITIAL_CREDIT);
  }

  /** Ends both directions at once; the other end of the stream hears why. */
  abort(why: Failure): void {
    this.#end.reset(why);
    this.reset(why);
  }

  // PumpSource

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  sentAll(): void {
    if (this.#lingers) this.#over();
  }

  // StreamEvents

  data(message: Message): void {
    this.#arrived += message.end - message.payloadStart;
    this.#socket.write(keptPayload(message), this.#onWritten);
  }

  ended(): void {
    this.#receiving = false;
    this.#socket.end();
  }

  granted(bytes: number): void {
    this.#pump.granted(bytes);
  }

  ready(): boolean {
    return true; // what may come is bounded by credit
  }

  writable(): void {
    this.#pump.writable();
  }

  reset(why: Failure): void {
    const socket = this.#socket;
    if (socket.destroyed && !this.#lingers) return;
    this.#why = why;
    this.#pump.stop();
    if (this.#lingers) this.#over();
    else cutOff(socket);
  }

  /** What the system has taken, the other end may send anew. */
  readonly #onWritten = (): void => {
    const room = this.#arrived - this.#socket.writableLength + WINDOW - this.#allowed;
    if (room < STEP) return;
    this.#allowed += room;
    this.#end.grant(room);
  };

  #closed(error: Error | undefined): void {
    const isClean = error === undefined && this.#why === undefined && !this.#receiving;
    if (isClean && this.#readAll && this.#pump.isOpen) {
      this.#lingers = true;
      // Its own timeout is gone with the socket.
      if (this.#idleTimeoutMs !== Infinity)
        this.#timer ??= setTimeout(() => this.#idle(), this.#idleTimeoutMs);
      return;
    }
    if (this.#why === undefined && (error !== undefined || this.#pump.isOpen || this.#receiving)) {
      this.#why = lost(error);
      this.#end.reset(this.#why);
    }
    this.#over();
  }

  #over(): void {
    this.#lingers = false;
    clearTimeout(this.#timer);
    this.#onClosed(this.#why);
  }

  #idle(): void {
    this.abort(expired("IDLE", `nothing was sent in either direction for ${this.#idleTimeoutMs / 1000} s`));
  }
}

function expired(reason: string, message: string): Failure {
  return { code: "deadline_exceeded", reason, message, retryable: false };
}

function lost(error: NodeJS.ErrnoException | undefined): Failure {
  const how = error?.code === undefined ? "was cut off" : `was cut off (${error.code})`;
  return { code: "aborted", reason: "SOCKET_LOST", message: `the connection ${how}`, retryable: false };
}
