/** What carries commands: a WebSocket, a TCP connection, the pipes of a child process, memory. */
import type { LintelError } from "../message/failure.ts";

/** One end of a line. It knows bytes, and nothing of commands. */
export interface CommandLine {
  /** The other end, for logs: a URL without secrets. */
  readonly remote: string;
  /** Bytes that were sent and are not written yet. */
  readonly buffered: number;
  /** Called once, before anything is sent. `events` may be called from then on, never before `open` has returned. */
  open(events: LineEvents): void;
  /** Sends one encoded command. False when the caller should wait for `drained`; what it sends before that is kept. */
  send(encoded: string | Uint8Array): boolean;
  /** Stops or continues reading. */
  read(going: boolean): void;
  /** Ends the line when everything that was sent is written. `why` is told to the other end where the line can. */
  close(why?: LineEnd): void;
  /** Ends the line at once. */
  abort(): void;
}

export interface LineEvents {
  /** Bytes have come: any part of the stream of commands. A text is UTF-8 that was decoded. The bytes are the line's again afterwards. */
  data(chunk: Uint8Array | string): void;
  /** What was sent is written. */
  drained(): void;
  /** The other end sends nothing more, and may still read. Left out: the line ends itself then. */
  ended?(): void;
  /** The line has ended; nothing is called afterwards. */
  closed(why?: Error): void;
}

/** Why a line ends, as WebSockets tell it. */
export interface LineEnd {
  readonly code: number;
  readonly reason: string;
}

export const GOING_AWAY: LineEnd = { code: 1001, reason: "the peer is shutting down" };

const MALFORMED_CLOSE = 1007;
const CLOSE_CODES: Readonly<Record<string, number>> = { TOO_LARGE: 1009, IN_FLIGHT_FULL: 1013 };

/** How a line ends whose stream of commands a decoder has refused. */
export function endOfStream({ reason, message }: LintelError): LineEnd {
  return { code: CLOSE_CODES[reason] ?? MALFORMED_CLOSE, reason: message };
}
