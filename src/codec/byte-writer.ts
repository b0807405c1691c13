import { maxUtf8Length, writeUtf8 } from "../message/text.ts";

const FIRST_SIZE = 512;

/** Bytes that grow as they are written. */
export class ByteWriter {
  #bytes = allocate(FIRST_SIZE);
  #view: DataView | undefined;
  #at = 0;

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  /** A byte, then 16 bits, big endian. */
  tag16(tag: number, value: number): void {
    this.#room(3);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = tag;
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
    this.#at = at;
  }

  /** A byte, then 32 bits, big endian. */
  tag32(tag: number, value: number): void {
    this.#room(5);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = tag;
    bytes[at++] = value >>> 24;
    bytes[at++] = value >>> 16;
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
    this.#at = at;
  }

  u32(value: number): void {
    this.#viewFor(4).setUint32(this.#at, value);
    this.#at += 4;
  }

  i64(value: bigint): void {
    this.#viewFor(8).setBigInt64(this.#at, value);
    this.#at += 8;
  }

  f64(value: number): void {
    this.#viewFor(8).setFloat64(this.#at, value);
    this.#at += 8;
  }

  copy(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A string, with `header` bytes left free before it for its length. Returns the length in bytes. */
  text(text: string, header: number): number {
    this.#room(header + maxUtf8Length(text));
    const length = writeUtf8(this.#bytes, text, this.#at + header);
    this.#at += header + length;
    return length;
  }

  /** Moves what was written from `start` on, to make room for `more` bytes before it. */
  widen(start: number, more: number): void {
    this.#room(more);
    this.#bytes.copyWithin(start + more, start, this.#at);
    this.#at += more;
  }

  /** How many bytes there are. */
  get length(): number {
    return this.#at;
  }

  /** Big endian, over `size` bytes that are there already. */
  overwrite(at: number, size: number, value: number): void {
    for (let index = size - 1; index >= 0; index--) {
      this.#bytes[at + index] = value;
      value >>>= 8;
    }
  }

  /** What has been written. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #viewFor(size: number): DataView {
    this.#room(size);
    this.#view ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    return this.#view;
  }

  #room(size: number): void {
    const needed = this.#at + size;
    if (needed <= this.#bytes.length) return;
    const grown = allocate(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = undefined;
  }
}

/** In Node from the platform's pool, not cleared: only what has been written is ever given away. */
function allocate(size: number): Uint8Array {
  return typeof Buffer === "function" ? Buffer.allocUnsafe(size) : new Uint8Array(size);
}
