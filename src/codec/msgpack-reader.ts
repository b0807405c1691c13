import { copyOf } from "../message/bytes.ts";
import type { LintelError } from "../message/failure.ts";
import { setKey } from "./record.ts";
import { MAX_DEPTH, undecodable } from "./refusal.ts";
import { readStrictUtf8 } from "./strict-text.ts";

const TIMESTAMP = -1;
const MAX_TIME = 8_640_000_000_000_000;

/**
 * Reads one value. Nothing is allocated for what a length claims: a length is held against the bytes that are there, and
 * arrays and objects grow with the items that are read.
 */
export class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #start: number;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, end);
    this.#start = start;
    this.#end = end;
    this.#at = start;
  }

  /** The value, which must be all there is. */
  whole(): unknown {
    const value = this.#value(0);
    if (this.#at !== this.#end) throw this.#refusal("there is more after the value", this.#at);
    return value;
  }

  #value(depth: number): unknown {
    const tag = this.#u8();
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag < 0x90) return this.#map(tag & 0x0f, depth);
    if (tag < 0xa0) return this.#array(tag & 0x0f, depth);
    if (tag < 0xc0) return this.#string(tag & 0x1f);
    return this.#tagged(tag, depth);
  }

  #tagged(tag: number, depth: number): unknown {
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#u8());
      case 0xc5:
        return this.#binary(this.#u16());
      case 0xc6:
        return this.#binary(this.#u32());
      case 0xd9:
        return this.#string(this.#u8());
      case 0xda:
        return this.#string(this.#u16());
      case 0xdb:
        return this.#string(this.#u32());
      case 0xdc:
        return this.#array(this.#u16(), depth);
      case 0xdd:
        return this.#array(this.#u32(), depth);
      case 0xde:
        return this.#map(this.#u16(), depth);
      case 0xdf:
        return this.#map(this.#u32(), depth);
      default:
        return tag >= 0xca && tag <= 0xd3 ? this.#number(tag) : this.#extension(tag);
    }
  }

  #number(tag: number): number | bigint {
    switch (tag) {
      case 0xca:
        return this.#view.getFloat32(this.#take(4));
      case 0xcb:
        return this.#view.getFloat64(this.#take(8));
      case 0xcc:
        return this.#u8();
      case 0xcd:
        return this.#u16();
      case 0xce:
        return this.#u32();
      case 0xcf:
        return exact(this.#view.getBigUint64(this.#take(8)));
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      default:
        return exact(this.#view.getBigInt64(this.#take(8)));
    }
  }

  #extension(tag: number): Date {
    const at = this.#at - 1;
    const fixed = tag >= 0xd4 && tag <= 0xd8;
    if (!fixed && (tag < 0xc7 || tag > 0xc9)) throw this.#refusal(`no value begins with byte ${tag}`, at);
    const length = fixed
      ? 1 << (tag - 0xd4)
      : tag === 0xc7
        ? this.#u8()
        : tag === 0xc8
          ? this.#u16()
          : this.#u32();
    const type = this.#view.getInt8(this.#take(1));
    const data = this.#take(length);
    if (type !== TIMESTAMP) throw this.#refusal(`extension type ${type} is not known`, at);
    return this.#timestamp(data, length, at);
  }

  #timestamp(data: number, length: number, at: number): Date {
    const view = this.#view;
    let seconds: number;
    let nanoseconds = 0;
    if (length === 4) seconds = view.getUint32(data);
    else if (length === 8) {
      const high = view.getUint32(data);
      nanoseconds = high >>> 2;
      seconds = (high & 3) * 0x1_0000_0000 + view.getUint32(data + 4);
    } else if (length === 12) {
      nanoseconds = view.getUint32(data);
      seconds = Number(view.getBigInt64(data + 4));
    } else throw this.#refusal(`a timestamp has ${length} bytes`, at);
    const time = seconds * 1_000 + Math.floor(nanoseconds / 1_000_000);
    if (nanoseconds > 999_999_999 || Math.abs(time) > MAX_TIME)
      throw this.#refusal("a timestamp is out of range", at);
    return new Date(time);
  }

  #array(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    const items: unknown[] = [];
    for (let index = 0; index < length; index++) items.push(this.#value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    this.#enter(length * 2, depth);
    const record: Record<string, unknown> = {};
    for (let index = 0; index < length; index++) {
      const key = this.#key();
      setKey(record, key, this.#value(depth + 1));
    }
    return record;
  }

  /** Every item takes a byte at least: a length that cannot be true is refused before anything is read. */
  #enter(items: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw this.#refusal(`it is nested deeper than ${MAX_DEPTH}`, this.#at - 1);
    if (items > this.#end - this.#at) throw this.#short();
  }

  /** Strings, and integers as their digits: other languages have maps with such keys. */
  #key(): string {
    const at = this.#at;
    const tag = this.#u8();
    if (tag >= 0xa0 && tag < 0xc0) return this.#string(tag & 0x1f);
    if (tag === 0xd9) return this.#string(this.#u8());
    if (tag === 0xda) return this.#string(this.#u16());
    if (tag === 0xdb) return this.#string(this.#u32());
    if (tag < 0x80) return String(tag);
    if (tag >= 0xe0) return String(tag - 0x100);
    if (tag >= 0xcc && tag <= 0xd3) return String(this.#number(tag));
    throw this.#refusal("a key is neither text nor an integer", at);
  }

  #string(length: number): string {
    const at = this.#take(length);
    const text = readStrictUtf8(this.#bytes, at, at + length);
    if (text === undefined) throw this.#refusal("a text is not UTF-8", at);
    return text;
  }

  /** A copy: a view would keep whatever the payload arrived in. */
  #binary(length: number): Uint8Array {
    const at = this.#take(length);
    return copyOf(this.#bytes, at, at + length);
  }

  /** Offset of the next bytes, which are passed over. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw this.#short();
    this.#at = at + length;
    return at;
  }

  #u8(): number {
    if (this.#at === this.#end) throw this.#short();
    return this.#bytes[this.#at++]!;
  }

  #u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  #short(): LintelError {
    return this.#refusal("a length reaches past the end", this.#at);
  }

  #refusal(why: string, at: number): LintelError {
    return undecodable("msgpack", why, at - this.#start);
  }
}

/** A number where it is exact. */
function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
