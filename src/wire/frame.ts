/**
 * Frames of the native protocol (docs/PROTOCOL.md, section 2). Every frame begins with 16 bytes, little-endian:
 *
 *     0        4     5      6      8          12        16
 *     | length | type | flags | aux | target   | id      | body: `length` bytes
 */
export const HEADER_SIZE = 16;

/** First bytes of a REQUEST's body: the time that is left until its deadline, in milliseconds. */
export const TIMEOUT_SIZE = 4;

/** Highest number a subject can be bound to. */
export const MAX_BINDING = 65_535;

export const FrameType = {
  hello: 1,
  welcome: 2,
  goaway: 3,
  close: 4,
  ping: 5,
  pong: 6,
  bind: 7,
  serve: 8,
  subscribe: 9,
  leave: 10,
  ready: 11,
  refused: 12,
  enable: 13,
  request: 16,
  reply: 17,
  error: 18,
  cancel: 19,
  publish: 20,
  dropped: 21,
  open: 32,
  data: 33,
  credit: 34,
  end: 35,
  reset: 36,
  take: 40,
  bytes: 41,
  lane: 42,
  pass: 43,
  bypass: 44,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** What the `id` of a BYPASS says. */
export const BypassSays = {
  /** From here on the bytes of its sender travel on the bypass. */
  used: 0,
  /** Its sender would use a bypass. */
  wanted: 1,
} as const;

/** Bits 0 and 1 of `flags` hold the payload's format. */
export const FORMAT_MASK = 0b11;

/** Bit 2 of `flags`: the message takes the streams that were opened since the one before. */
export const CARRIES_STREAMS = 0b100;

/** The fields of a frame's header. One object is reused for every frame that is read. */
export interface FrameHeader {
  type: number;
  flags: number;
  aux: number;
  target: number;
  id: number;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** The `aux` field of the frame that begins at `at`. */
export function readAux(bytes: Uint8Array, at: number): number {
  return bytes[at + 6]! | (bytes[at + 7]! << 8);
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Writes the 16 bytes of a header. `length` counts the body only. */
export function writeHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: FrameType,
  flags: number,
  aux: number,
  target: number,
  id: number,
): void {
  writeU32(bytes, at, length);
  bytes[at + 4] = type;
  bytes[at + 5] = flags;
  bytes[at + 6] = aux;
  bytes[at + 7] = aux >>> 8;
  writeU32(bytes, at + 8, target);
  writeU32(bytes, at + 12, id);
}
