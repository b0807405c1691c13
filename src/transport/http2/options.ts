import type { Http2Session, ServerOptions } from "node:http2";

/** Bytes of one stream that may be on their way. Node reads what has arrived at once, so this is seldom used up. */
export const STREAM_WINDOW = 262_144;

/** Bytes of all streams of a connection that may be on their way. */
const CONNECTION_WINDOW = 262_144;

/** Streams in one connection. A proxy may carry many sessions in one; past it, it opens another. */
const MAX_STREAMS = 128;

/**
 * What an HTTP/2 server of ours is bounded by. What is not here is as Node has it, floods above all: resets, settings,
 * pings, empty frames, continuations, `maxSessionMemory`, invalid frames and rejected streams.
 */
export const SERVER_BOUNDS: ServerOptions = {
  settings: {
    maxConcurrentStreams: MAX_STREAMS,
    maxHeaderListSize: 16_384,
    initialWindowSize: STREAM_WINDOW,
    enablePush: false,
  },
  maxHeaderListPairs: 64,
};

/**
 * Closes a connection that has no stream for a while. That is also how one ends on which the parser has given up: it
 * says GOAWAY then and ignores what comes, but Node leaves the socket open.
 */
export function guardIdle(session: Http2Session, idleMs: number): void {
  let streams = 0;
  session.on("stream", (stream) => {
    streams++;
    stream.once("close", () => streams--);
  });
  session.setTimeout(idleMs, () => {
    if (streams === 0) session.close();
  });
}

/** Lets the connection carry more than the 65,535 bytes it begins with. One that is over by then is left alone. */
export function widen(session: Http2Session): void {
  if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW);
}
