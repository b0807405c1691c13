/** Writes FlatBuffers front to back, in the layout that the usual builders give, byte for byte. */
import { encodeUtf8 } from "../message/text.ts";

const ALIGNMENT = 4;

/** A piece that takes room of its own: bytes with their length before them, and zeros after them. */
export interface FlatPiece {
  readonly bytes: Uint8Array;
  readonly size: number;
}

/** A text, which ends with a zero byte. */
export function textPiece(text: string): FlatPiece {
  const bytes = encodeUtf8(text);
  return { bytes, size: aligned(4 + bytes.length + 1) };
}

export function bytesPiece(bytes: Uint8Array): FlatPiece {
  return { bytes, size: aligned(4 + bytes.length) };
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

/** Little-endian numbers into bytes of a known size, one after the other. */
export class FlatWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  get at(): number {
    return this.#at;
  }

  u16(...values: readonly number[]): void {
    for (const value of values) {
      this.#view.setUint16(this.#at, value, true);
      this.#at += 2;
    }
  }

  i32(value: number): void {
    this.#view.setInt32(this.#at, value, true);
    this.#at += 4;
  }

  /** An offset from here to there. */
  offset(to: number): void {
    this.i32(to - this.#at);
  }

  piece({ bytes, size }: FlatPiece): void {
    this.#view.setUint32(this.#at, bytes.length, true);
    this.bytes.set(bytes, this.#at + 4);
    this.#at += size;
  }
}
