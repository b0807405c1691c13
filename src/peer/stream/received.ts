import type { StreamEnd } from "../../message/message.ts";
import { LintelError } from "../../message/failure.ts";
import { discardStreams } from "../../message/stream.ts";
import { bytesOf, failureOf } from "./carried.ts";
import { Channel } from "./channel.ts";
import { Port } from "./port.ts";
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
  const port = new Port(end, values.budget);
  if (end.messages) return readable(port, (message) => values.value(message), ValueStream);
  if (!end.sends) return readable(port, (message) => message.payload());
  if (!end.receives) return writable(port);
  return {
    readable: readable(port, (message) => message.payload()) as ReadableStream<Uint8Array>,
    writable: writable(port),
  };
}

/** Gives up a stream that nobody will use. */
export function giveUp(stream: ReceivedStream): void {
  const ignore = (): undefined => undefined;
  if (stream instanceof Channel) stream.abort();
  else if (stream instanceof ReadableStream) stream.cancel().catch(ignore);
  else if (stream instanceof WritableStream) stream.abort().catch(ignore);
  else stream.readable.cancel().catch(ignore);
}

type Read = (message: NonNullable<Awaited<ReturnType<Port["take"]>>>) => unknown;

function readable(port: Port, read: Read, kind = ReadableStream<unknown>): ReadableStream<unknown> {
  return new kind(
    {
      async pull(controller) {
        const message = await port.take();
        if (message === undefined) return controller.close();
        try {
          controller.enqueue(read(message));
        } catch (error) {
          discardStreams(message);
          port.abort(failureOf(error));
          throw error;
        }
      },
      cancel(reason) {
        port.abort(canceled(reason));
      },
    },
    { highWaterMark: 0 },
  );
}

function writable(port: Port): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    start(controller) {
      port.closed.catch((error: unknown) => controller.error(error));
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
