/** The streams a message takes with it: what moves bytes and values from their sources into the streams' near ends. */
import type { StreamEnd, StreamShape } from "../../message/message.ts";
import { bytesOf } from "../../message/bytes.ts";
import type { DeclaredLength } from "../../message/declared-length.ts";
import { LintelError } from "../../message/failure.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { MAX_STREAMS_PER_MESSAGE } from "../../stream/stream.ts";
import { Attachment } from "./attachment.ts";
import { Channel } from "./channel.ts";
import { SequenceEvent } from "./event.ts";
import { RetryableStream } from "./retryable-stream.ts";
import { Port } from "./port.ts";
import { drain, failureOf, pump } from "./pumps.ts";
import {
  isAsyncIterable,
  isNodeReadable,
  isNodeWritable,
  iterableSource,
  nodeSource,
  nodeTarget,
  readableSource,
  writableTarget,
  type Source,
  type Target,
} from "./stream-sources.ts";
import { ValueStream } from "./value-stream.ts";
import type { Values } from "./values.ts";

/** True for what travels as a stream: streams of the platform and of Node, async iterables, channels, attachments. */
export function isStream(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof ReadableStream || value instanceof WritableStream) return true;
  if (value instanceof Channel || value instanceof Attachment || value instanceof RetryableStream)
    return true;
  return isNodeReadable(value) || isNodeWritable(value) || isAsyncIterable(value);
}

export class OutgoingStreams {
  /** For the message: the far ends, in order. */
  readonly ends: StreamEnd[] = [];
  readonly #values: Values;
  readonly #ports: Port[] = [];
  /** Ends that came from elsewhere. */
  readonly #others: StreamEnd[] = [];
  readonly #streams = new Set<object>();
  readonly #length: DeclaredLength | undefined;

  /** `length` is what was said of the bytes of its one stream, if anything was. */
  constructor(values: Values, length?: DeclaredLength) {
    this.#values = values;
    this.#length = length;
  }

  /** Takes a stream along. Returns its place. */
  add(stream: unknown): number {
    if (!isStream(stream) || typeof stream !== "object" || stream === null)
      throw new LintelError("invalid_argument", "only streams can be carried");
    if (this.#streams.has(stream))
      throw new LintelError("invalid_argument", "a message carries the same stream twice");
    if (this.#streams.size >= MAX_STREAMS_PER_MESSAGE)
      throw LintelError.of("TOO_MANY", `a message carries ${MAX_STREAMS_PER_MESSAGE} streams at most`);
    this.#streams.add(stream);
    if (stream instanceof Channel) {
      this.#take(Channel.detach(stream));
    } else if (stream instanceof Attachment) {
      this.#take(Attachment.detach(stream));
    } else if (stream instanceof RetryableStream) {
      this.#take(stream.next());
    } else if (stream instanceof ValueStream) {
      this.#sequence(readableSource(stream));
    } else if (stream instanceof ReadableStream) {
      this.#bytes(readableSource(stream), undefined);
    } else if (stream instanceof WritableStream) {
      this.#bytes(undefined, writableTarget(stream));
    } else if (isNodeReadable(stream) || isNodeWritable(stream)) {
      const reads = isNodeReadable(stream) ? nodeSource(stream) : undefined;
      this.#bytes(reads, isNodeWritable(stream) ? nodeTarget(stream) : undefined);
    } else {
      this.#sequence(iterableSource(stream as AsyncIterable<unknown>));
    }
    return this.ends.length - 1;
  }

  /** The message has failed: its streams will not be used. */
  abort(error: unknown): void {
    const why = failureOf(error);
    for (const port of this.#ports) port.abort(why);
    for (const end of this.#others) end.reset(why);
  }

  /** Calls back for each stream that is aborted, by either end. */
  onAbort(then: (error: LintelError) => void): void {
    for (const port of this.#ports) port.closed.catch(then);
  }

  #take(end: StreamEnd): void {
    this.#others.push(end);
    this.ends.push(end);
  }

  #bytes(source: Source | undefined, target: Target | undefined): void {
    const port = this.#open({ sends: source !== undefined, receives: target !== undefined, messages: false });
    if (source !== undefined) {
      const counted = this.#length === undefined ? source : countedSource(source, this.#length);
      void pump(counted, port, this.#values, (chunk) => port.write(bytesOf(chunk)));
    }
    if (target !== undefined) void drain(port, target);
  }

  #sequence(source: Source): void {
    const port = this.#open({ sends: true, receives: false, messages: true });
    void pump(source, port, this.#values, async (value) => {
      const { message, carried } =
        value instanceof SequenceEvent
          ? this.#values.bytes(value.data, value.head)
          : this.#values.bytes(value);
      try {
        await port.send(message);
      } catch (error) {
        carried?.abort(error);
        throw error;
      }
    });
  }

  #open(shape: StreamShape): Port {
    const [near, far] = createStream(shape);
    const port = new Port(near, this.#values, "pump");
    this.#ports.push(port);
    this.ends.push(far);
    return port;
  }
}

/** The same bytes, with an error where they are not as many as was said. */
function countedSource(source: Source, length: DeclaredLength): Source {
  return {
    async next() {
      const next = await source.next();
      if (next.done === true) length.end();
      else length.add(bytesOf(next.value).length);
      return next;
    },
    stop: (error) => source.stop(error),
  };
}
