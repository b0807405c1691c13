/** Messages of beam: a name and arguments, as a netstring of netstrings (B-10 to B-13), in a frame. */
import { NetstringReader } from "../../codec/netstring.ts";
import { LintelError } from "../../message/failure.ts";
import { encodeUtf8 } from "../../message/text.ts";
import { ATTACHED, HEADER_SIZE } from "./frame-reader.ts";

export interface BeamMessage {
  readonly name: string;
  readonly args: readonly string[];
}

/** What may be sent as an argument: text, or bytes as they are. */
export type Argument = string | Uint8Array;

const ZERO = 0x30;
const COLON = 0x3a;
const COMMA = 0x2c;

/** Reads the payload of a frame. Throws `BAD_PAYLOAD`. */
export function decodeMessage(bytes: Uint8Array, start: number, end: number): BeamMessage {
  const reader = new NetstringReader(bytes, start, end, start);
  if (!reader.next()) throw malformed("a frame is empty");
  const inner = reader.inner();
  if (reader.end + 1 !== end) throw malformed("something follows the list");
  const args: string[] = [];
  if (!inner.next()) throw malformed("the list is empty");
  const name = inner.text();
  while (inner.next()) args.push(inner.text());
  return { name, args };
}

/** A whole frame with this message. `attached` says that a descriptor goes with it. */
export function encodeFrame(name: string, args: readonly Argument[], attached: boolean): Uint8Array {
  const items = [name, ...args].map((item) => (typeof item === "string" ? encodeUtf8(item) : item));
  const content = items.reduce((sum, { length }) => sum + sizeOf(length), 0);
  const length = sizeOf(content);
  if (length >= ATTACHED) throw LintelError.of("TOO_LARGE", "the message does not fit a frame");
  const frame = new Uint8Array(HEADER_SIZE + length);
  new DataView(frame.buffer).setUint32(0, attached ? length + ATTACHED : length);
  let at = writeLength(frame, HEADER_SIZE, content);
  for (const item of items) {
    at = writeLength(frame, at, item.length);
    frame.set(item, at);
    at += item.length;
    frame[at++] = COMMA;
  }
  frame[at] = COMMA;
  return frame;
}

/** Bytes of a netstring with so many bytes in it. */
function sizeOf(length: number): number {
  return digitsOf(length) + length + 2;
}

function digitsOf(length: number): number {
  let digits = 1;
  for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits;
}

/** Writes `LENGTH:` and returns where the content begins. */
function writeLength(bytes: Uint8Array, start: number, length: number): number {
  const end = start + digitsOf(length);
  for (let at = end - 1, rest = length; at >= start; at--, rest = Math.floor(rest / 10))
    bytes[at] = ZERO + (rest % 10);
  bytes[end] = COLON;
  return end + 1;
}

function malformed(why: string): LintelError {
  return LintelError.of("BAD_PAYLOAD", `the message is malformed: ${why}`);
}
