/** The seam for other ways to write commands than JSON. */
import type { ByteBudget } from "./byte-budget.ts";
import type { Command } from "./command.ts";

export interface CommandProtocol {
  readonly name: string;
  /** A decoder for one line. */
  decoder(bounds: CommandBounds): CommandDecoder;
  /** One command as it is sent. Over WebSockets bytes must be UTF-8, since they are sent as text. Throws `BAD_PAYLOAD` for a body that cannot be written. */
  encode(command: Command): string | Uint8Array;
}

export interface CommandBounds {
  /** Bytes of one command. */
  readonly maxCommand: number;
  /** What unfinished commands of all lines together may take. Default: no such bound. */
  readonly budget?: ByteBudget | undefined;
}

/** Reads a stream of commands whose parts may be split and joined anywhere. */
export interface CommandDecoder {
  /**
   * Calls `take` for each command that is complete, in order, with the length that it had. Returns when all of the chunk was
   * read, or `take` returned false; the rest is dropped then. Throws `BAD_PAYLOAD` for what is no command, `TOO_LARGE` for one past the bound, and
   * `IN_FLIGHT_FULL` when the budget has no room: the stream has no meaning from there on, and the decoder must not be used again. It
   * keeps no part of `chunk`.
   */
  push(chunk: Uint8Array | string, take: (command: Command, length: number) => boolean): void;
  /** Gives back what an unfinished command has taken. Nothing may be pushed afterwards. */
  end(): void;
}
