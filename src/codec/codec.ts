import type { Encoder } from "../message/message.ts";

/**
 * A kind of value. `number` is a finite one other than -0, `special number` is NaN or infinite; `bigint` is an integer
 * that no number holds exactly, within 64 bits; `string` is well-formed Unicode.
 */
export type ValueKind =
  | "null"
  | "boolean"
  | "number"
  | "special number"
  | "negative zero"
  | "bigint"
  | "string"
  | "bytes"
  | "date"
  | "array"
  | "object";

/** What a codec can do. */
export interface CodecSupports {
  /** Kinds of values that come back as they were, at any place in a value. Empty: the codec has a shape of its own. */
  readonly kinds: readonly ValueKind[];
  /** Keys that no object may have: refused, both ways. */
  readonly refusedKeys?: readonly string[];
  /** How deep a value may be nested. Infinity: as deep as the platform takes it. */
  readonly depth: number;
  /** Zero bytes are a value, not the lack of one. */
  readonly empty: boolean;
  /** Some bytes are malformed, and refused. */
  readonly strict: boolean;
}

/** Values to bytes and back. */
export interface Codec extends Encoder {
  readonly name: string;
  /** What it writes; sent as `content-type` unless the frame's format says it already. */
  readonly contentType: string;
  /** Other content types it reads: `type/subtype`, or `+suffix` for all that end so. */
  readonly aliases?: readonly string[];
  readonly supports: CodecSupports;
  /** Throws `BAD_PAYLOAD` for a value it cannot carry. */
  encode(value: unknown): Uint8Array | string;
  /** Throws `BAD_PAYLOAD`, with the offset where it is known. */
  decode(bytes: Uint8Array, start: number, end: number): unknown;
  /**
   * What `decode(encode(value))` gives, without the bytes: how a value reaches a handler in the same process, equal to
   * what it would be after a journey and sharing nothing that either side could change under the other.
   */
  transfer(value: unknown): unknown;
}
