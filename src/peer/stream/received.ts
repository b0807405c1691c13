import type { StreamEnd } from "../../message/message.ts";
import { Attachment } from "./attachment.ts";
import { Channel } from "./channel.ts";
import { Port } from "./port.ts";
import { byteStream, readable, writable } from "./port-streams.ts";
import { ValueStream } from "./value-stream.ts";
import type { DuplexStream, Values } from "./values.ts";

export type { DuplexStream };

export type ReceivedStream =
  | ReadableStream<unknown>
  | WritableStream<Uint8Array>
  | DuplexStream
  | Channel
  | Attachment;

/** What the receiver of a message gets for an end that came with it. */
export function received(end: StreamEnd, values: Values): ReceivedStream {
  if (end.attached !== undefined) return new Attachment(end, end.attached, values);
  if (end.messages && end.sends) return new Channel(end, values);
  const port = new Port(end, values);
  const { dropped } = values;
  if (!end.messages && end.receives) {
    const stream = byteStream(port, end);
    if (stream instanceof ReadableStream) dropped.watch(port, stream);
    else dropped.watch(port, stream.readable, stream.writable);
    return stream;
  }
  const stream = end.messages
    ? readable(port, (message) => values.value(message), ValueStream)
    : writable(port);
  dropped.watch(port, stream);
  return stream;
}

/** Gives up a stream that nobody will use. */
export function giveUp(stream: ReceivedStream): void {
  const ignore = (): undefined => undefined;
  if (stream instanceof Channel) stream.abort();
  else if (stream instanceof Attachment) stream.discard();
  else if (stream instanceof ReadableStream) stream.cancel().catch(ignore);
  else if (stream instanceof WritableStream) stream.abort().catch(ignore);
  else stream.readable.cancel().catch(ignore);
}
