import type { Message, StreamEnd } from "../../message/message.ts";
import { LintelError } from "../../message/failure.ts";
import { discardStreams } from "../../message/stream.ts";
import { bytesOf, failureOf } from "./carried.ts";
import { Channel } from "./channel.ts";
import { Port, type Taker } from "./port.ts";
import { ValueStream } from "./value-stream.ts";
import type { Values } from "./values.ts";

/** A Node duplex stream, or a socket, arrives as its two halves. */
export interface DuplexStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

export type ReceivedStream = ReadableStream<unknown> | WritableStream<Uint8Array> | DuplexStream | Channel;

/** What the receiver of a message gets for an end that came with it. */
export function received(end: StreamEnd, values: Values): ReceivedStream {
  if (end.messages && end.sends) return new Channel(end, values);
  const port = new Port(end, values);
  const bytes = (message: Message): Uint8Array => message.payload();
  const reads = end.messages
    ? readable(port, (message) => values.value(message), ValueStream)
    : end.receives
      ? readable(port, bytes)
      : undefined;
  const writes = end.sends ? writable(port) : undefined;
  if (reads === undefined) return watched(values, port, writes!);
  if (writes === undefined) return watched(values, port, reads);
  values.dropped.watch(port, reads, writes);
  return { readable: reads as ReadableStream<Uint8Array>, writable: writes };
}

function watched<S extends object>(values: Values, port: Port, stream: S): S {
  values.dropped.watch(port, stream);
  return stream;
}

/** Gives up a stream that nobody will use. */
export function giveUp(stream: ReceivedStream): void {
  const ignore = (): undefined => undefined;
  if (stream instanceof Channel) stream.abort();
  else if (stream instanceof ReadableStream) stream.cancel().catch(ignore);
  else if (stream instanceof WritableStream) stream.abort().catch(ignore);
  else stream.readable.cancel().catch(ignore);
}

type Read = (message: Message) => unknown;

function readable(port: Port, read: Read, kind = ReadableStream<unknown>): ReadableStream<unknown> {
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

function writable(port: Port): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    start(controller) {
      const weak = new WeakRef(controller); // the port must not keep what nobody writes to any more
      port.closed.catch((error: unknown) => weak.deref()?.error(error));
    },
    write: async (chunk) => port.write(bytesOf(chunk)),
    close: () => port.end(),
    abort: (reason) => port.abort(canceled(reason)),
  });
}

function canceled(reason: unknown): ReturnType<typeof failureOf> {
  if (reason instanceof LintelError) return reason.toFailure();
  return new LintelError("canceled", "the other end of the stream has left").toFailure();
}
