import { constants, type ServerHttp2Stream } from "node:http2";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { deferToEndOfTick } from "../../runtime/defer-to-end-of-tick.ts";
import { MessageReader } from "./message-reader.ts";
import { GRPC_TYPE, trailersOf } from "./status.ts";

/** What a call tells its holder. Nothing follows `closed`. */
export interface GrpcCallEvents {
  /** A message of the client; its bytes are the holder's. */
  message(bytes: Uint8Array): void;
  /** The client sends nothing more. */
  finished(): void;
  /** What the client sends cannot be read: nothing more of it is, and the holder is to end the call. */
  failed(why: Failure): void;
  /** What was sent has been taken, after `isFull` was true. */
  drained(): void;
  /** The call is over, whichever end ended it; called once. */
  closed(): void;
}

export interface CallLimits {
  /** Longest message that is read, in bytes. */
  readonly message: number;
  /** Bytes that may wait for the client to read them before the call is full. */
  readonly window: number;
}

/** A client that does not read the end of its call is cut off after this long. Milliseconds. */
const LINGER_MS = 2_000;
const PREFIX = 5;

/**
 * One call of gRPC, messages both ways, on a stream of HTTP/2.
 *
 * | state  | meaning                                                    | next          |
 * |--------|------------------------------------------------------------|---------------|
 * | open   | messages flow                                              | ending, over  |
 * | ending | what was sent and the status wait to be read; nothing is read | over       |
 * | over   | the stream is closed                                       |               |
 */
export class GrpcCall {
  readonly #stream: ServerHttp2Stream;
  readonly #window: number;
  readonly #reader: MessageReader;
  readonly #later = deferToEndOfTick();
  #events: GrpcCallEvents | undefined;
  #state: "open" | "ending" | "over" = "open";
  #isCorked = false;
  #isFull = false;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: ServerHttp2Stream, limits: CallLimits) {
    this.#stream = stream;
    this.#window = Math.max(limits.window, stream.writableHighWaterMark); // below it there is no 'drain'
    this.#reader = new MessageReader(limits.message, (bytes) => {
      if (this.#state === "open") this.#events?.message(bytes);
    });
  }

  /** Answers the head and starts reading. Called once. */
  open(events: GrpcCallEvents): void {
    const stream = this.#stream;
    this.#events = events;
    stream.on("close", () => this.#closed());
    stream.on("data", (chunk: Buffer) => this.#read(chunk));
    stream.on("end", () => this.#ended());
    stream.on("drain", () => this.#drained());
    stream.respond(
      { ":status": 200, "content-type": GRPC_TYPE, "grpc-accept-encoding": "identity" },
      { waitForTrailers: true },
    );
  }

  /** True while the client is behind with reading. `drained` follows. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Sends a message. */
  send(message: Uint8Array): void {
    if (this.#state !== "open") return;
    const stream = this.#stream;
    const framed = Buffer.allocUnsafe(PREFIX + message.length);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, PREFIX);
    if (!this.#isCorked) {
      // What is sent in one turn is written together.
      this.#isCorked = true;
      stream.cork();
      this.#later(() => this.#uncork());
    }
    stream.write(framed);
    if (this.#isFull || stream.writableLength < this.#window) return;
    this.#isFull = true;
    stream.pause(); // W-6
  }

  /** Ends the call with a status; OK without a failure. */
  end(why?: Failure): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    const stream = this.#stream;
    stream.on("wantTrailers", () => {
      stream.sendTrailers(trailersOf(why));
      setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)); // whatever the client has not sent yet is in vain
    });
    this.#uncork();
    stream.end();
    stream.resume(); // what still comes is dropped
    this.#linger = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), LINGER_MS);
  }

  #read(chunk: Buffer): void {
    if (this.#state !== "open") return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof LintelError)) throw error;
      this.#events?.failed(error.toFailure());
    }
  }

  #ended(): void {
    if (this.#state !== "open") return;
    if (this.#reader.isEmpty) this.#events?.finished();
    else this.#events?.failed(failure("BAD_FRAME", "the call ended within a message"));
  }

  #drained(): void {
    if (!this.#isFull || this.#state !== "open") return;
    this.#isFull = false;
    this.#stream.resume();
    this.#events?.drained();
  }

  #uncork(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#stream.uncork();
  }

  #closed(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    clearTimeout(this.#linger);
    this.#events?.closed();
  }
}
