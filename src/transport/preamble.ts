import type { Readable } from "node:stream";

/** Reads the first bytes of a stream and leaves it stopped behind them. */
export function readFirst(stream: Readable, size: number, then: (bytes: Buffer) => void): void {
  let head: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    if (head.length < size) return;
    stream.off("data", onData);
    stream.pause();
    if (head.length > size) stream.unshift(head.subarray(size));
    then(head.subarray(0, size));
  };
  stream.on("data", onData);
}
