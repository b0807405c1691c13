/** One stream at a time, as fast as the other end takes it. */
import type { Sample } from "./sample.ts";

const CHUNK_SIZE = 65_536;

/** The end of a stream that sends. */
export interface StreamSource {
  /** Sends what `next` gives until it gives nothing. Resolves with the bytes that the other end has counted. */
  send(next: () => Uint8Array | undefined): Promise<number>;
}

/** Sends the same chunk for so long, and waits until the other end has counted what came. */
export async function measureStream(source: StreamSource, seconds: number): Promise<Sample> {
  const chunk = new Uint8Array(CHUNK_SIZE).fill(0x61);
  const from = performance.now();
  const until = from + seconds * 1_000;
  let sent = 0;
  const counted = await source.send(() => {
    if (performance.now() >= until) return undefined;
    sent += CHUNK_SIZE;
    return chunk;
  });
  if (counted !== sent) throw new Error(`${sent} bytes were sent, ${counted} have come`);
  return { rate: (counted * 1_000) / (performance.now() - from) };
}
