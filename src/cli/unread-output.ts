/** Unread output must neither fill the memory nor keep the process alive. */

/** What may wait for a reader before more is dropped. Bytes. */
const MAX_WAITING = 1_048_576;

/** What of a stream to a terminal, file or pipe is used here. */
export interface Writing {
  readonly writableLength: number;
  readonly destroyed: boolean;
  write(data: string | Uint8Array, encoding?: BufferEncoding | Done, done?: Done): boolean;
}

type Done = (error?: Error | null) => void;

/**
 * Changes how the stream is written to: what is more than its reader keeps up with is dropped, in whole writes, until all
 * that waits is read. `tell` says then how many lines are missing. Nothing is written any more once the reader has left.
 */
export function dropUnread(stream: Writing, tell: (lines: number) => string): void {
  const write = stream.write.bind(stream);
  let dropped = 0;
  const readAgain: Done = (error) => {
    if (error) return; // the reader has left
    const lines = dropped;
    dropped = 0;
    write(tell(lines));
  };
  stream.write = (data, encoding, done) => {
    if (!stream.destroyed && dropped === 0 && hasRoom(stream, data.length))
      return write(data, encoding, done);
    if (!stream.destroyed && dropped === 0) write("", readAgain); // called when everything before it has been read
    dropped += linesOf(data);
    const then = typeof encoding === "function" ? encoding : done;
    if (then !== undefined) process.nextTick(then);
    return false;
  };
}

function hasRoom({ writableLength }: Writing, size: number): boolean {
  return writableLength === 0 || writableLength + size <= MAX_WAITING;
}

/** Line ends, at least one: what is dropped is counted. */
function linesOf(data: string | Uint8Array): number {
  const text = typeof data === "string" ? data : Buffer.from(data.buffer, data.byteOffset, data.length);
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return Math.max(1, lines);
}
