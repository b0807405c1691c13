import type { Encoder } from "../message/message.ts";

/** Values to bytes and back. */
export interface Codec extends Encoder {
  readonly name: string;
  /** What it writes; sent as `content-type` unless the frame's format says it already. */
  readonly contentType: string;
  /** Throws `BAD_PAYLOAD`, with the offset where it is known. */
  decode(bytes: Uint8Array, start: number, end: number): unknown;
  /**
   * What `decode(encode(value))` gives, without the bytes: how a value reaches a handler in the same process, equal to
   * what it would be after a journey and sharing nothing that either side could change under the other.
   */
  transfer(value: unknown): unknown;
}
