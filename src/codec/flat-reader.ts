/**
 * Reads FlatBuffers written by strangers. Every offset is held against the bytes before it is followed, and what is read
 * in all is bounded, since many offsets may lead to the same bytes.
 *
 * https://flatbuffers.dev/internals/
 */
import { viewOf } from "../message/bytes.ts";
import type { LintelError } from "../message/failure.ts";
import { undecodable } from "./refusal.ts";
import { readStrictUtf8 } from "./strict-text.ts";

const OFFSET_SIZE = 4;
/** Entries of a vtable before the first field: its own size and that of the table, 16 bits each. */
const VTABLE_HEADER = 4;
/** How many times the payload's size may be read, offsets to the same text counted each time. */
const MAX_SHARING = 4;

export class FlatReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #length: number;
  #budget: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
    this.#length = end - start;
    this.#budget = MAX_SHARING * this.#length;
  }

  root(): FlatTable {
    return this.table(0);
  }

  /** The table that the offset at `at` leads to. */
  table(at: number): FlatTable {
    const position = this.follow(at);
    const vtable = position - this.i32(position);
    const size = this.u16(vtable);
    const inline = this.u16(vtable + 2);
    if (size < VTABLE_HEADER || size % 2 !== 0) throw this.refusal(`a vtable has ${size} bytes`, vtable);
    this.#within(vtable, size);
    this.#within(position, Math.max(inline, OFFSET_SIZE));
    this.#spend(OFFSET_SIZE, at);
    return new FlatTable(this, position, inline, vtable, size);
  }

  /** Where the offset at `at` leads. */
  follow(at: number): number {
    this.#within(at, OFFSET_SIZE);
    const offset = this.#view.getUint32(at, true);
    if (offset === 0) throw this.refusal("an offset leads to itself", at);
    return at + offset;
  }

  i32(at: number): number {
    this.#within(at, 4);
    return this.#view.getInt32(at, true);
  }

  u16(at: number): number {
    this.#within(at, 2);
    return this.#view.getUint16(at, true);
  }

  /** Length of the vector at `at`, of items of this size, all of which are there. */
  vector(at: number, itemSize: number): number {
    this.#within(at, OFFSET_SIZE);
    const length = this.#view.getUint32(at, true);
    this.#within(at + OFFSET_SIZE, length * itemSize);
    this.#spend(length * itemSize, at);
    return length;
  }

  text(at: number): string {
    const length = this.vector(at, 1);
    const start = this.#view.byteOffset - this.#bytes.byteOffset + at + OFFSET_SIZE;
    const text = readStrictUtf8(this.#bytes, start, start + length);
    if (text === undefined) throw this.refusal("a text is not UTF-8", at + OFFSET_SIZE);
    return text;
  }

  /** A view, not a copy. */
  binary(at: number): Uint8Array {
    const length = this.vector(at, 1);
    const start = this.#view.byteOffset - this.#bytes.byteOffset + at + OFFSET_SIZE;
    return viewOf(this.#bytes, start, start + length);
  }

  refusal(why: string, at: number): LintelError {
    return undecodable("flatbuffer", why, at);
  }

  #within(at: number, size: number): void {
    if (at < 0 || at + size > this.#length) throw this.refusal("an offset or a length leads outside", at);
  }

  #spend(size: number, at: number): void {
    this.#budget -= size;
    if (this.#budget < 0) throw this.refusal("the same bytes are used too often", at);
  }
}

/** A table whose vtable and inline part are known to be within the payload. */
export class FlatTable {
  readonly #reader: FlatReader;
  readonly #position: number;
  readonly #inline: number;
  readonly #vtable: number;
  readonly #vtableSize: number;

  constructor(reader: FlatReader, position: number, inline: number, vtable: number, vtableSize: number) {
    this.#reader = reader;
    this.#position = position;
    this.#inline = inline;
    this.#vtable = vtable;
    this.#vtableSize = vtableSize;
  }

  /** A 32-bit integer, 0 when it is absent. */
  i32(field: number): number {
    const at = this.#field(field);
    return at === undefined ? 0 : this.#reader.i32(at);
  }

  /** A text, empty when it is absent. */
  text(field: number): string {
    const at = this.#field(field);
    return at === undefined ? "" : this.#reader.text(this.#reader.follow(at));
  }

  /** Bytes, none when they are absent. */
  binary(field: number): Uint8Array {
    const at = this.#field(field);
    return at === undefined ? new Uint8Array(0) : this.#reader.binary(this.#reader.follow(at));
  }

  /** What `read` makes of each table of a vector. */
  tables<T>(field: number, read: (table: FlatTable) => T): T[] {
    const at = this.#field(field);
    if (at === undefined) return [];
    const vector = this.#reader.follow(at);
    const length = this.#reader.vector(vector, OFFSET_SIZE);
    const items: T[] = [];
    for (let index = 1; index <= length; index++) {
      items.push(read(this.#reader.table(vector + index * OFFSET_SIZE)));
    }
    return items;
  }

  /** Where a field of four bytes is, or undefined when it is absent. */
  #field(field: number): number | undefined {
    const entry = VTABLE_HEADER + field * 2;
    if (entry >= this.#vtableSize) return undefined;
    const offset = this.#reader.u16(this.#vtable + entry);
    if (offset === 0) return undefined;
    if (offset < OFFSET_SIZE || offset + 4 > this.#inline) {
      throw this.#reader.refusal("a field lies outside its table", this.#vtable + entry);
    }
    return this.#position + offset;
  }
}
