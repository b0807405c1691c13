/** Feeds a codec with what strangers might send: good payloads, changed at random. */
import { getHeapStatistics } from "node:v8";
import type { Codec } from "../codec/codec.ts";
import { LintelError } from "../message/failure.ts";

/** Longest time one payload may take. Milliseconds. */
const MAX_TIME = 50;
/** Memory one payload may need at a time. Bytes; payloads here are a few kilobytes at the most. */
const MAX_MEMORY = 16 * 1_048_576;
const MAX_LENGTH = 16_384;
/** How often a slow payload is tried again: a machine that is busy is slow with any. */
const RETRIES = 3;
const TELLING = [
  0, 1, 0x7f, 0x80, 0xc1, 0xff, 0x22, 0x26, 0x2c, 0x30, 0x3a, 0x3c, 0x3e, 0x5b, 0x7b, 0xdd, 0xdf,
];

/** Whole numbers from 0 to below `bound`; the same ones for the same seed. */
export type RandomInt = (bound: number) => number;

/** A small generator of Mulberry's kind. */
export function seededInts(seed: number): RandomInt {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

export interface FuzzCount {
  decoded: number;
  refused: number;
}

/**
 * Decodes changed payloads until `goOn` says no. Throws, with the payload, when one is answered with anything but a value
 * or `BAD_PAYLOAD`, takes too long, or needs too much memory.
 */
export function fuzzCodec(
  codec: Codec,
  payloads: readonly Uint8Array[],
  random: RandomInt,
  goOn: (done: number) => boolean,
): FuzzCount {
  const count: FuzzCount = { decoded: 0, refused: 0 };
  for (let done = 0; goOn(done); done++) {
    let payload = payloads[random(payloads.length)]!;
    for (let changes = 1 + random(4); changes > 0; changes--) {
      payload = changed(payload, payloads[random(payloads.length)]!, random);
    }
    if (probe(codec, payload)) count.decoded++;
    else count.refused++;
  }
  return count;
}

/** True when the payload was decoded, false when it was refused as it should be. */
export function probe(codec: Codec, payload: Uint8Array): boolean {
  for (let attempt = 0; ; attempt++) {
    const before = memoryInUse();
    const started = performance.now();
    const decoded = isDecoded(codec, payload);
    const took = performance.now() - started;
    const used = memoryInUse() - before;
    if (took <= MAX_TIME && used <= MAX_MEMORY) return decoded;
    if (attempt < RETRIES) continue;
    throw new Error(`${codec.name} took ${took.toFixed(0)} ms and ${used} bytes for ${hexOf(payload)}`);
  }
}

function isDecoded(codec: Codec, payload: Uint8Array): boolean {
  try {
    codec.decode(payload, 0, payload.length);
    return true;
  } catch (error) {
    if (error instanceof LintelError && error.reason === "BAD_PAYLOAD") return false;
    throw new Error(`${codec.name} answers ${hexOf(payload)} with ${String(error)}`, { cause: error });
  }
}

function memoryInUse(): number {
  const { used_heap_size: heap, external_memory: outside } = getHeapStatistics();
  return heap + outside;
}

function hexOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString("hex");
}

type Change = (payload: Buffer, other: Uint8Array, random: RandomInt) => Uint8Array;

const CHANGES: readonly Change[] = [
  (payload, _other, random) => withByte(payload, random, (byte) => byte ^ (1 << random(8))),
  (payload, _other, random) => withByte(payload, random, () => random(256)),
  (payload, _other, random) => withByte(payload, random, () => TELLING[random(TELLING.length)]!),
  (payload, _other, random) => payload.subarray(0, random(payload.length + 1)),
  (payload, _other, random) => cut(payload, random, Buffer.alloc(0)),
  (payload, other, random) => cut(payload, random, part(Buffer.from(other), random)),
  (payload, _other, random) => cut(payload, random, part(payload, random)),
  (payload, _other, random) =>
    cut(payload, random, Buffer.alloc(random(64), TELLING[random(TELLING.length)])),
  (payload, _other, random) => cut(payload, random, Buffer.alloc(4, TELLING[random(6)])), // a length that lies
  (payload, _other, random) => {
    const repeated = part(payload, random);
    return cut(payload, random, Buffer.concat(Array.from({ length: random(200) }, () => repeated)));
  },
];

function changed(payload: Uint8Array, other: Uint8Array, random: RandomInt): Uint8Array {
  const change = CHANGES[random(CHANGES.length)]!;
  return change(Buffer.from(payload), other, random).subarray(0, MAX_LENGTH);
}

function withByte(payload: Buffer, random: RandomInt, next: (byte: number) => number): Buffer {
  if (payload.length === 0) return Buffer.of(next(0));
  const at = random(payload.length);
  payload[at] = next(payload[at]!);
  return payload;
}

/** The payload with a piece at random replaced. */
function cut(payload: Buffer, random: RandomInt, piece: Uint8Array): Buffer {
  const start = random(payload.length + 1);
  const end = Math.min(payload.length, start + random(8));
  return Buffer.concat([payload.subarray(0, start), piece, payload.subarray(end)]);
}

function part(payload: Buffer, random: RandomInt): Buffer {
  const start = random(payload.length + 1);
  return payload.subarray(start, start + random(64));
}
