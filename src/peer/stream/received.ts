import { JsonText } from "../../codec/json-text.ts";
import { isReadAsJson } from "../../codec/values.ts";
import { findHeader } from "../../message/headers.ts";
import type { Message, StreamEnd } from "../../message/message.ts";
import { readUtf8 } from "../../message/text.ts";
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
  const stream = end.messages ? valueStream(port, values) : writable(port);
  dropped.watch(port, stream);
  return stream;
}

function valueStream(port: Port, values: Values): ReadableStream<unknown> {
  const read = (message: Message): unknown => {
    const value = values.value(message);
    return stream instanceof ValueStream && stream.keepsJson ? asWritten(value, message) : value;
  };
  const stream = readable(port, read, ValueStream);
  return stream;
}

/** The value as its text, if that says more than the value: in JSON, and without streams. */
function asWritten(value: unknown, message: Message): unknown {
  if (typeof value === "string" || value === undefined || value instanceof Uint8Array) return value;
  if (message.encoder !== undefined || (message.streams?.length ?? 0) > 0) return value;
  const type = findHeader(message.headText(), "content-type");
  if (!isReadAsJson(type, message.bytes, message.payloadStart)) return value;
  return new JsonText(readUtf8(message.bytes, message.payloadStart, message.end));
}

/** Gives up a stream that will not be used. */
export function giveUp(stream: ReceivedStream): void {
  const ignore = (): undefined => undefined;
  if (stream instanceof Channel) stream.abort();
  else if (stream instanceof Attachment) stream.discard();
  else if (stream instanceof ReadableStream) stream.cancel().catch(ignore);
  else if (stream instanceof WritableStream) stream.abort().catch(ignore);
  else stream.readable.cancel().catch(ignore);
}
