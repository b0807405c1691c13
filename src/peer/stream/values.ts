import type { LintelError } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { AttachedKind, Passed } from "../../message/attached.ts";
import type { OpenStreams } from "../../stream/open-streams.ts";
import type { ReadBudget } from "../../stream/read-window.ts";
import type { DroppedStreams } from "./dropped-streams.ts";

/** A Node duplex stream, or a socket, arrives as its two halves. */
export interface DuplexStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** A message made of a value, and what undoes it if it cannot be sent. */
export interface Written {
  readonly message: Message;
  /** The streams it takes along. */
  readonly carried?:
    | { abort(error: unknown): void; onAbort(then: (error: LintelError) => void): void }
    | undefined;
}

/** What the platform makes of sockets and files that arrive. */
export interface AttachedObjects {
  /** Takes the descriptor over: it is closed with the object, or at once when this throws, because it is something else. */
  ofDescriptor(kind: AttachedKind, passed: Passed): unknown;
  /** Of the bytes that flow in its place. */
  ofStream(kind: AttachedKind, stream: DuplexStream | ReadableStream<Uint8Array>): unknown;
}

/** What all streams of a peer share. */
export interface SharedByStreams {
  readonly budget: ReadBudget;
  readonly open: OpenStreams;
  readonly dropped: DroppedStreams;
  /** Undefined where there are no sockets and files. */
  readonly objects: AttachedObjects | undefined;
}

/** How a stream's end writes and reads the values that flow through it. */
export interface Values extends SharedByStreams {
  /** A message with this value, its payload written already: credit is counted in bytes. */
  bytes(value: unknown, head?: string): Written;
  /** The value a message carries, with its streams in their places. Throws `BAD_PAYLOAD`. */
  value(message: Message): unknown;
  /** Tells whoever runs this peer of an error that nobody else hears of. */
  report(error: unknown, where: string): void;
}
