/** Streams of the platform: which there are, and how to read and write them. Node's are known by their methods. */

/** Something to read from, chunk by chunk. */
export interface Source {
  next(): Promise<IteratorResult<unknown, unknown>>;
  /** The rest is not wanted. */
  stop(error: Error): void;
}

/** Something to write bytes to. */
export interface Target {
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  stop(error: Error): void;
}

interface NodeReadable {
  iterator(options: { destroyOnReturn: boolean }): AsyncIterator<unknown>;
  destroy(error?: Error): void;
}

interface NodeWritable {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  end(done: () => void): void;
  destroy(error?: Error): void;
  once(event: string, listener: (error?: Error) => void): void;
  off(event: string, listener: (error?: Error) => void): void;
}

export function isNodeReadable(value: object): value is NodeReadable {
  return "iterator" in value && typeof value.iterator === "function" && isNodeStream(value);
}

export function isNodeWritable(value: object): value is NodeWritable {
  return "write" in value && typeof value.write === "function" && isNodeStream(value);
}

function isNodeStream(value: object): boolean {
  return "pipe" in value && typeof value.pipe === "function" && "destroy" in value && "on" in value;
}

export function isAsyncIterable(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value && typeof value[Symbol.asyncIterator] === "function";
}

export function readableSource(stream: ReadableStream<unknown>): Source {
  const reader = stream.getReader();
  return {
    next: () => reader.read(),
    stop: (error) => ignore(reader.cancel(error)),
  };
}

export function nodeSource(stream: NodeReadable): Source {
  const iterator = stream.iterator({ destroyOnReturn: false });
  return { next: () => iterator.next(), stop: (error) => destroy(stream, error) };
}

export function iterableSource(iterable: AsyncIterable<unknown>): Source {
  const iterator = iterable[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    stop: () => ignore(returned(iterator)),
  };
}

export function writableTarget(stream: WritableStream<Uint8Array>): Target {
  const writer = stream.getWriter();
  ignore(writer.closed);
  return {
    write: (bytes) => writer.write(bytes),
    end: () => writer.close(),
    stop: (error) => ignore(writer.abort(error)),
  };
}

export function nodeTarget(stream: NodeWritable): Target {
  return {
    write: (bytes) => settled(stream, (done) => void stream.write(bytes, done)),
    end: () => settled(stream, (done) => stream.end(done)),
    stop: (error) => destroy(stream, error),
  };
}

async function returned(iterator: AsyncIterator<unknown>): Promise<void> {
  await iterator.return?.();
}

/** Failures of a source that is no longer wanted do not matter. */
function ignore(ending: Promise<unknown>): void {
  ending.catch(() => undefined);
}

/** A stream whose owner listens for no errors must not end the process. */
function destroy(stream: NodeReadable | NodeWritable, error: Error): void {
  const heard = "listenerCount" in stream && (stream.listenerCount as (name: string) => number)("error") > 0;
  stream.destroy(heard ? error : undefined);
}

function settled(stream: NodeWritable, start: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error?: Error | null): void => {
      stream.off("error", failed);
      stream.off("close", failed);
      reject(error ?? new Error("the stream was closed"));
    };
    stream.once("error", failed);
    stream.once("close", failed);
    start((error) => {
      stream.off("error", failed);
      stream.off("close", failed);
      if (error instanceof Error) reject(error);
      else resolve();
    });
  });
}
