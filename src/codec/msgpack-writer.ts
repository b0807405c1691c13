import { ByteWriter } from "./byte-writer.ts";
import { isNothing, plainOf } from "./record.ts";
import { MAX_DEPTH, tooDeep, unwritable } from "./refusal.ts";

const MAX_U32 = 0xffff_ffff;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const MIN_I64 = -0x8000_0000_0000_0000n;
const TIMESTAMP = 0xff; // extension type -1
/** Seconds that fit the 64-bit timestamp. */
const MAX_SECONDS_34 = 0x3_ffff_ffff;

/** Writes one value after the other. */
export class MsgpackWriter {
  readonly #out = new ByteWriter();

  finish(): Uint8Array {
    return this.#out.finish();
  }

  write(value: unknown, key: string, depth: number): void {
    switch (typeof value) {
      case "string":
        return this.#string(value);
      case "number":
        return this.#number(value);
      case "boolean":
        return this.#out.u8(value ? 0xc3 : 0xc2);
      case "bigint":
        return this.#bigint(value);
      case "object":
        return value === null ? this.#out.u8(0xc0) : this.#object(value, key, depth);
      default:
        return this.#out.u8(0xc0);
    }
  }

  /** The header is as long as ASCII needs it, and made longer in the rare case that this was not enough. */
  #string(text: string): void {
    const out = this.#out;
    const start = out.length;
    const guess = headerSize(text.length);
    const length = out.text(text, guess);
    const size = headerSize(length);
    if (size !== guess) out.widen(start + guess, size - guess);
    if (size === 1) {
      out.overwrite(start, 1, 0xa0 | length);
    } else {
      out.overwrite(start, 1, size === 2 ? 0xd9 : size === 3 ? 0xda : 0xdb);
      out.overwrite(start + 1, size - 1, length);
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.#out.u8(0xcb);
      this.#out.f64(value);
    } else if (value >= 0) {
      if (value < 128) this.#out.u8(value);
      else if (value < 256) this.#pair(0xcc, value);
      else if (value < 65_536) this.#out.tag16(0xcd, value);
      else if (value <= MAX_U32) this.#out.tag32(0xce, value);
      else this.#long(0xcf, value);
    } else if (value >= -32) this.#out.u8(value & 0xff);
    else if (value >= -128) this.#pair(0xd0, value & 0xff);
    else if (value >= -32_768) this.#out.tag16(0xd1, value & 0xffff);
    else if (value >= -0x8000_0000) this.#out.tag32(0xd2, value >>> 0);
    else this.#long(0xd3, value);
  }

  /** 64 bits of a safe integer. */
  #long(tag: number, value: number): void {
    const low = value >>> 0;
    this.#out.tag32(tag, Math.floor(value / 0x1_0000_0000) >>> 0);
    this.#out.u32(low);
  }

  #pair(tag: number, value: number): void {
    this.#out.u8(tag);
    this.#out.u8(value);
  }

  #bigint(value: bigint): void {
    if (value > MAX_U64 || value < MIN_I64) throw unwritable("msgpack", "a bigint needs more than 64 bits");
    this.#out.u8(value < 0n ? 0xd3 : 0xcf);
    this.#out.i64(BigInt.asIntN(64, value));
  }

  #object(value: object, key: string, depth: number): void {
    if (depth >= MAX_DEPTH) throw tooDeep("msgpack");
    if (Array.isArray(value)) return this.#array(value, depth);
    if (value instanceof Uint8Array) return this.#bytes(value);
    if (value instanceof Date) return this.#date(value);
    const plain = plainOf(value, key);
    if (plain === value) return this.#map(value as Record<string, unknown>, depth);
    if (isRecord(plain)) return this.#map(plain, depth); // its own toJSON is not asked
    return this.write(plain, key, depth + 1);
  }

  #array(items: readonly unknown[], depth: number): void {
    const { length } = items;
    if (length < 16) this.#out.u8(0x90 | length);
    else if (length < 65_536) this.#out.tag16(0xdc, length);
    else this.#out.tag32(0xdd, length);
    for (let index = 0; index < length; index++) this.write(items[index], String(index), depth + 1);
  }

  /** The number of entries is put in at the end: what counts as nothing shows when it is looked at, once. */
  #map(record: Record<string, unknown>, depth: number): void {
    const out = this.#out;
    const keys = Object.keys(record);
    const start = out.length;
    if (keys.length < 16) out.u8(0x80);
    else if (keys.length < 65_536) out.tag16(0xde, 0);
    else out.tag32(0xdf, 0);
    const header = out.length;
    let entries = 0;
    for (const key of keys) {
      const value = record[key];
      if (isNothing(value)) continue;
      this.#string(key);
      this.write(value, key, depth + 1);
      entries++;
    }
    if (header - start === 1) out.overwrite(start, 1, 0x80 | entries);
    else out.overwrite(start + 1, header - start - 1, entries);
  }

  #bytes(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length < 256) this.#pair(0xc4, length);
    else if (length < 65_536) this.#out.tag16(0xc5, length);
    else this.#out.tag32(0xc6, length);
    this.#out.copy(bytes);
  }

  #date(date: Date): void {
    const time = date.getTime();
    if (Number.isNaN(time)) throw unwritable("msgpack", "a date is invalid");
    const seconds = Math.floor(time / 1_000);
    const nanoseconds = (time - seconds * 1_000) * 1_000_000;
    if (seconds >= 0 && seconds <= MAX_U32 && nanoseconds === 0) {
      this.#pair(0xd6, TIMESTAMP);
      this.#out.u32(seconds);
    } else if (seconds >= 0 && seconds <= MAX_SECONDS_34) {
      this.#pair(0xd7, TIMESTAMP);
      this.#out.i64(BigInt.asIntN(64, (BigInt(nanoseconds) << 34n) | BigInt(seconds)));
    } else {
      this.#out.u8(0xc7);
      this.#pair(12, TIMESTAMP);
      this.#out.u32(nanoseconds);
      this.#out.i64(BigInt(seconds));
    }
  }
}

/** Bytes before a text of this many bytes. */
function headerSize(length: number): number {
  if (length < 32) return 1;
  if (length < 256) return 2;
  return length < 65_536 ? 3 : 5;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  return !Array.isArray(value) && !(value instanceof Uint8Array) && !(value instanceof Date);
}
