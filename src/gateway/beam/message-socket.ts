import { failure, toFailure, type Failure } from "../../message/failure.ts";
import type {
  DescriptorSocket,
  DescriptorSocketHandler,
} from "../../transport/descriptors/descriptor-socket.ts";
import { closeDescriptor } from "../../transport/descriptors/endpoints.ts";
import type { Outgoing } from "./arguments.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { decodeMessage, encodeFrame, type BeamMessage, type Generation } from "./message.ts";

/** What a link tells its holder. Nothing follows `closed`. */
export interface MessageSocketEvents {
  /** The attachment is the holder's: to be used, or to be closed. */
  message(message: BeamMessage, attachment: number | undefined): void;
  /** The other end sends nothing more; it may still read. */
  finished(): void;
  /** Everything that was sent is with the system. */
  drained(): void;
  /** Why, unless the connection has just ended. */
  closed(why: Failure | undefined): void;
}

interface Arrived {
  readonly message: BeamMessage;
  readonly attachment: number | undefined;
}

/** A connection that is ended gracefully, and whose reader takes nothing for so long, is cut off. Milliseconds. */
const LINGER_MS = 30_000;

/**
 * Messages over one socket, both ways. Bytes that break the format end it.
 *
 * | state   | meaning                                            | next          |
 * |---------|----------------------------------------------------|---------------|
 * | open    | both ends may send                                 | half, closing, over |
 * | half    | this end sends nothing more                        | closing, over |
 * | closing | what was sent waits to be read; nothing is read    | over          |
 * | over    | the socket is closed                               |               |
 */
export class MessageSocket implements DescriptorSocketHandler, FrameSink {
  /** The form in which messages are sent: that of the last one that came, or of the message whose attachment this is. */
  generation: Generation;
  readonly #socket: DescriptorSocket;
  readonly #reader: FrameReader;
  readonly #onOver: (link: MessageSocket) => void;
  #events: MessageSocketEvents | undefined;
  #state: "open" | "half" | "closing" | "over" = "open";
  #full = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  // Arriving.
  /** Read, and not handed on yet, because the holder has paused: what one chunk had at the most. */
  readonly #arrived: Arrived[] = [];
  #paused = false;
  #handingOn = false;
  /** What the other end sends: `told` means that the holder knows of the end. */
  #input: "flows" | "ended" | "told" = "flows";

  /** `maxLength` bounds messages that are read, in bytes. `onOver` is called before the holder hears of the end. */
  constructor(
    socket: DescriptorSocket,
    maxLength: number,
    onOver: (link: MessageSocket) => void,
    generation: Generation = 2,
  ) {
    this.generation = generation;
    this.#socket = socket;
    this.#reader = new FrameReader(maxLength);
    this.#onOver = onOver;
  }

  /** Starts reading. Called once. */
  open(events: MessageSocketEvents): void {
    this.#events = events;
    this.#socket.open(this);
  }

  /** From now on it has another owner. */
  handOver(events: MessageSocketEvents): void {
    this.#events = events;
  }

  /** False while what was sent waits for the other end to read; `drained` follows. */
  get isReady(): boolean {
    return !this.#full;
  }

  /** Sends a message, and a descriptor with it, which is closed here. Throws `TOO_LARGE`, and what the system says. */
  send(message: Outgoing, descriptor?: number): void {
    try {
      const { name, args, pairs } = message;
      const frame = encodeFrame(name, args, descriptor !== undefined, this.generation, pairs);
      if (this.#state !== "open") return;
      if (descriptor === undefined) return this.#write(frame, []);
      this.#write(frame.subarray(0, 1), [descriptor]); // B-2
      return this.#write(frame.subarray(1), []);
    } finally {
      if (descriptor !== undefined) closeDescriptor(descriptor);
    }
  }

  /** Hands on nothing until `resume`; a message that is being handed on is the last. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#handOn();
    if (!this.#paused) this.#socket.resume();
  }

  /** Sends nothing more after what was sent; what the other end sends still arrives. */
  end(): void {
    if (this.#state !== "open") return;
    this.#state = "half";
    this.#socket.end();
  }

  /** Ends when all is sent. Nothing more is handed on. */
  close(): void {
    if (this.#state === "closing" || this.#state === "over") return;
    this.#state = "closing";
    this.#dropArrived();
    if (!this.#full) return this.#over(undefined);
    this.#timer = setTimeout(() => this.#over(undefined), LINGER_MS);
    return undefined;
  }

  /** Ends at once. */
  abort(why?: Failure): void {
    this.#over(why);
  }

  // DescriptorSocketHandler

  data(bytes: Uint8Array, descriptors: readonly number[]): void {
    if (this.#state === "closing") return closeAll(descriptors);
    try {
      const refused = this.#reader.push(bytes, descriptors, this);
      if (refused !== undefined) this.#over(refused);
    } catch (error) {
      this.#over(toFailure(error, failure("BAD_FRAME")));
    }
    if (this.#state === "over") closeAll(this.#reader.release()); // also what came just now
    return undefined;
  }

  ended(): void {
    if (this.#input !== "flows") return;
    this.#input = "ended";
    this.#handOn();
  }

  drained(): void {
    this.#full = false;
    if (this.#state === "closing") this.#over(undefined);
    else this.#events?.drained();
  }

  closed(error: Error | undefined): void {
    this.#over(error === undefined ? undefined : lost(error));
  }

  // FrameSink

  frame(bytes: Uint8Array, start: number, end: number, descriptor: number | undefined): void {
    try {
      const message = decodeMessage(bytes, start, end);
      this.generation = message.generation ?? 2;
      this.#arrived.push({ message, attachment: descriptor });
    } catch (error) {
      if (descriptor !== undefined) closeDescriptor(descriptor);
      throw error;
    }
    this.#handOn();
  }

  #write(bytes: Uint8Array, descriptors: readonly number[]): void {
    if (!this.#socket.send(bytes, descriptors)) this.#full = true;
  }

  #handOn(): void {
    if (this.#handingOn) return; // the holder resumes while it is told: the loop goes on
    this.#handingOn = true;
    while (!this.#paused) {
      const next = this.#arrived.shift();
      if (next === undefined) break;
      this.#events?.message(next.message, next.attachment);
    }
    this.#handingOn = false;
    if (this.#input !== "ended" || this.#paused || this.#state === "closing" || this.#state === "over")
      return;
    this.#input = "told";
    this.#events?.finished();
  }

  #dropArrived(): void {
    this.#reader.stop();
    for (const { attachment } of this.#arrived.splice(0))
      if (attachment !== undefined) closeDescriptor(attachment);
    closeAll(this.#reader.release());
  }

  #over(why: Failure | undefined): void {
    if (this.#state === "over") return;
    this.#state = "over";
    clearTimeout(this.#timer);
    this.#dropArrived();
    this.#socket.abort(); // what the system has taken still arrives
    this.#onOver(this);
    this.#events?.closed(why);
  }
}

function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeDescriptor(descriptor);
}

function lost(error: NodeJS.ErrnoException): Failure {
  const how = error.code === undefined ? "was cut off" : `was cut off (${error.code})`;
  return { code: "aborted", reason: "SOCKET_LOST", message: `the connection ${how}`, retryable: false };
}
