/**
 * Values that contain streams and channels. Each is taken out of the value and replaced by `{ "$stream": n }`, its place
 * among the streams of the message, so that any codec with objects and numbers can write the rest.
 */
import type { Codecs } from "../../codec/codecs.ts";
import { headerLine } from "../../message/headers.ts";
import { LintelError } from "../../message/failure.ts";
import { Message, type StreamEnd } from "../../message/message.ts";
import type { ReadBudget } from "../../message/read-window.ts";
import { ROOT, isRoot } from "../../message/stream.ts";
import { Carried, isStream } from "./carried.ts";
import type { Values, Written } from "./values.ts";
import { received, type ReceivedStream } from "./received.ts";

const REFERENCE = "$stream";
const ROOT_LINE = headerLine(ROOT, "stream");
/** Deeper values are not searched: no codec writes them. */
const MAX_DEPTH = 128;

/** Writes and reads the values of one peer. */
export class StreamValues implements Values {
  readonly budget: ReadBudget;
  readonly codecs: Codecs;

  constructor(codecs: Codecs, budget: ReadBudget) {
    this.codecs = codecs;
    this.budget = budget;
  }

  /** A message with this value, and what it carries. `more` are streams the value does not refer to; they come first. */
  message(value: unknown, head: string, more: readonly unknown[] = []): Written {
    return this.write(value, more, (plain, line) => this.codecs.message(plain, head + line));
  }

  bytes(value: unknown, head = ""): Written {
    const made = this.message(value, head);
    const { message } = made;
    if (message.encoder === undefined) return made;
    const written = Message.ofBytes(message.payload(), message.head, message.format);
    written.streams = message.streams;
    return { ...made, message: written };
  }

  /** As `message`, the codec chosen by `make`, which is given the value without its streams and a header line to add. */
  write(value: unknown, more: readonly unknown[], make: (plain: unknown, line: string) => Message): Written {
    if (more.length === 0 && !containsStream(value, 0)) return { message: make(value, "") };
    const carried = new Carried(this);
    try {
      for (const stream of more) carried.add(stream);
      let message: Message;
      if (isStream(value)) {
        if (more.length > 0)
          throw new LintelError("invalid_argument", "the value is a stream, and there are others");
        carried.add(value);
        message = make(undefined, ROOT_LINE);
      } else {
        message = make(replace(value, carried, 0), "");
      }
      message.streams = carried.ends;
      return { message, carried };
    } catch (error) {
      carried.abort(error);
      throw error;
    }
  }

  value(message: Message): unknown {
    return message.streams === undefined
      ? this.codecs.value(message)
      : this.withStreams(message, this.streamsOf(message));
  }

  /** What the ends a message carries are to their receiver. */
  streamsOf({ streams = [] }: Message): readonly ReceivedStream[] {
    return streams.map((end: StreamEnd) => received(end, this));
  }

  withStreams(message: Message, streams: readonly ReceivedStream[]): unknown {
    if (streams.length === 0) return this.codecs.value(message);
    if (isRoot(message)) return streams[0];
    return restore(this.codecs.value(message), streams, 0);
  }
}

/** True when the value is a stream or channel, or has one in it. */
export function containsStream(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++)
      if (containsStream(value[index], depth + 1)) return true;
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    return !ArrayBuffer.isView(value) && isStream(value);
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (typeof member === "object" && containsStream(member, depth + 1)) return true;
  }
  return false;
}

function replace(value: unknown, carried: Carried, depth: number): unknown {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) return value.map((member) => replace(member, carried, depth + 1));
  if (isStream(value)) return { [REFERENCE]: carried.add(value) };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (key === REFERENCE) {
      throw LintelError.of("BAD_PAYLOAD", `a value that carries streams has no key named ${REFERENCE}`);
    }
    Object.defineProperty(copy, key, {
      value: replace(member, carried, depth + 1),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

function restore(value: unknown, streams: readonly ReceivedStream[], depth: number): unknown {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++)
      value[index] = restore(value[index], streams, depth + 1);
    return value;
  }
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object);
  if (keys.length === 1 && keys[0] === REFERENCE) {
    const index = object[REFERENCE];
    const stream = typeof index === "number" ? streams[index] : undefined;
    if (stream === undefined)
      throw LintelError.of("BAD_PAYLOAD", `the value refers to a stream that is not there`);
    return stream;
  }
  for (const key of keys) {
    const member = object[key];
    if (typeof member === "object") object[key] = restore(member, streams, depth + 1);
  }
  return object;
}
