/** What the conformance suite runs over. A new transport or codec is one entry in a table. */
import type { Codec } from "../../codec/codec.ts";
import type { Transport } from "../../transport/transport.ts";

export interface TransportEntry {
  readonly name: string;
  readonly transport: Transport;
  /** An unused URL to listen on, a different one each time. */
  readonly freshUrl: () => string | Promise<string>;
}

/** What the suite must be able to say in any codec, whatever the shape of its values. */
export interface Note {
  /** 0 to 1,000,000. */
  readonly n: number;
  /** ASCII letters; up to the limit of payloads of them. */
  readonly text: string;
}

export interface CodecEntry {
  readonly name: string;
  readonly codec: Codec;
  /** The value itself chooses the codec, which peers are not given. */
  readonly implied?: boolean;
  /** A value of the codec that says this. */
  readonly write: (note: Note) => unknown;
  /** What a value that was made by `write` says. Throws when it is no such value. */
  readonly read: (value: unknown) => Note;
}
