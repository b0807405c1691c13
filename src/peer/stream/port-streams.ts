/** Streams of the platform in front of a port. */
import { bytesOf } from "../../message/bytes.ts";
import { LintelError, toFailure, type Failure } from "../../message/failure.ts";
import type { Message, StreamShape } from "../../message/message.ts";
import { discardStreams } from "../../stream/stream.ts";
import { ignore } from "./fire-and-forget.ts";
import type { Port, Taker } from "./port.ts";
import { failureOf } from "./pumps.ts";
import type { DuplexStream } from "./values.ts";

const LEFT = Object.freeze(new LintelError("canceled", "the other end of the stream has left").toFailure());

/** The bytes that arrive at a port; both halves where it is written to as well. */
export function byteStream(port: Port, shape: StreamShape): ReadableStream<Uint8Array> | DuplexStream {
  const bytes = readable(port, (message) => message.payload()) as ReadableStream<Uint8Array>;
  return shape.sends ? { readable: bytes, writable: writable(port) } : bytes;
}

type Read = (message: Message) => unknown;

export function readable(
  port: Port,
  read: Read,
  kind: typeof ReadableStream<unknown> = ReadableStream<unknown>,
): ReadableStream<unknown> {
  return new kind(new ReceivedSource(port, read), { highWaterMark: 0 });
}

/** What a stream of the platform reads from. Without promises: there are several for each chunk already. */
class ReceivedSource implements Taker {
  readonly #port: Port;
  readonly #read: Read;
  #controller: ReadableStreamDefaultController<unknown> | undefined;
  #isWaiting = false;

  constructor(port: Port, read: Read) {
    this.#port = port;
    this.#read = read;
  }

  pull(controller: ReadableStreamDefaultController<unknown>): void {
    if (this.#isWaiting) return; // the stream asks again once it has something
    this.#isWaiting = true;
    this.#controller = controller;
    this.#port.takeFor(this);
  }

  cancel(reason: unknown): void {
    this.#port.abort(canceled(reason));
  }

  resolve(message: Message | undefined): void {
    const controller = this.#controller!;
    this.#isWaiting = false;
    if (message === undefined) return controller.close();
    let value: unknown;
    try {
      value = this.#read(message);
    } catch (error) {
      discardStreams(message);
      this.#port.abort(failureOf(error));
      return controller.error(error);
    }
    return controller.enqueue(value);
  }

  reject(error: Error): void {
    this.#isWaiting = false;
    this.#controller!.error(error);
  }
}

/** One whose writer's calls need not be waited for, as those of a channel: a failure shows in the writer's `closed`. */
class ReceivedWritable extends WritableStream<Uint8Array> {
  override getWriter(): WritableStreamDefaultWriter<Uint8Array> {
    const writer = super.getWriter();
    const write = writer.write.bind(writer);
    const close = writer.close.bind(writer);
    const abort = writer.abort.bind(writer);
    const handled = (outcome: Promise<void>): Promise<void> => {
      outcome.catch(ignore);
      return outcome;
    };
    writer.write = (chunk) => handled(write(chunk));
    writer.close = () => handled(close());
    writer.abort = (reason) => handled(abort(reason));
    return writer;
  }
}

export function writable(port: Port): WritableStream<Uint8Array> {
  return new ReceivedWritable({
    start(controller) {
      const weak = new WeakRef(controller); // the port must not keep what is no longer written to
      port.closed.catch((error: unknown) => weak.deref()?.error(error));
    },
    write: (chunk) => put(port, chunk),
    close: () => port.end(),
    abort: (reason) => port.abort(canceled(reason)),
  });
}

/** An illegal chunk ends the stream for both ends: otherwise the reader would wait for the rest. */
async function put(port: Port, chunk: unknown): Promise<void> {
  let bytes: Uint8Array;
  try {
    bytes = bytesOf(chunk);
  } catch (error) {
    port.abort(failureOf(error));
    throw error;
  }
  return port.write(bytes);
}

function canceled(reason: unknown): Failure {
  return toFailure(reason, LEFT);
}
