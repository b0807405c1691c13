/**
 * Messages of beam in a frame: a name and arguments. The second generation of its programs sends them as a netstring of
 * netstrings (B-10 to B-13), the first as key-value pairs, of which `cmd` has both (B-14 to B-17).
 */
import { NetstringReader } from "../../codec/netstring.ts";
import { setKey } from "../../codec/record.ts";
import { LintelError } from "../../message/failure.ts";
import { encodeUtf8 } from "../../message/text.ts";
import { ATTACHED, HEADER_SIZE } from "./frame-reader.ts";

/** Which of the two forms. Answers go out in that of what they answer. */
export type Generation = 1 | 2;

/** An argument: text, or bytes that are no UTF-8. */
export type Argument = string | Uint8Array;

/** What a message of the first generation has besides `cmd`. */
export type Pairs = Readonly<Record<string, readonly Argument[]>>;

export interface BeamMessage {
  /** Empty when there is none. */
  readonly name: string;
  /** As text, whatever they are. */
  readonly args: readonly string[];
  /** Those that are no UTF-8, as bytes, by their places. */
  readonly raw?: ReadonlyMap<number, Uint8Array>;
  /** Left out for the second. */
  readonly generation?: Generation;
  readonly pairs?: Pairs;
}

/** The arguments as they came. */
export function argumentsIn({ args, raw }: Pick<BeamMessage, "args" | "raw">): readonly Argument[] {
  return raw === undefined ? args : args.map((text, index) => raw.get(index) ?? text);
}

/** Format and version of key-value pairs. A list cannot begin so: its length would have leading zeros. */
const PAIRS = "000;";
const COMMAND = "cmd";

const ZERO = 0x30;
const COLON = 0x3a;
const COMMA = 0x2c;

/** Reads the payload of a frame. Throws `BAD_PAYLOAD`. */
export function decodeMessage(bytes: Uint8Array, start: number, end: number): BeamMessage {
  if (beginsPairs(bytes, start, end)) return decodePairs(bytes, start, end);
  const reader = new NetstringReader(bytes, start, end, start);
  if (!reader.next()) throw malformed("a frame is empty");
  const inner = reader.inner();
  if (reader.end + 1 !== end) throw malformed("something follows the list");
  const [name, ...args] = itemsOf(inner);
  if (name === undefined) throw malformed("the list is empty");
  return messageOf(name, args);
}

/** True for key-value pairs. */
export function beginsPairs(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < PAIRS.length) return false;
  for (let index = 0; index < PAIRS.length; index++)
    if (bytes[start + index] !== PAIRS.charCodeAt(index)) return false;
  return true;
}

function decodePairs(bytes: Uint8Array, start: number, end: number): BeamMessage {
  const reader = new NetstringReader(bytes, start + PAIRS.length, end, start);
  const pairs: Record<string, Argument[]> = {};
  let command: Argument[] = [];
  const seen = new Set<string>();
  while (reader.next()) {
    const key = reader.text();
    if (seen.has(key)) throw malformed("a key comes twice");
    seen.add(key);
    if (!reader.next()) throw malformed("a key has no values");
    const values = itemsOf(reader.inner());
    if (key === COMMAND) command = values;
    else setKey(pairs, key, values);
  }
  const [name = "", ...args] = command;
  const message = { ...messageOf(name, args), generation: 1 } as const;
  return seen.size === (seen.has(COMMAND) ? 1 : 0) ? message : { ...message, pairs };
}

function messageOf(name: Argument, args: readonly Argument[]): BeamMessage {
  if (typeof name !== "string") throw malformed("its name is not UTF-8");
  const raw = new Map<number, Uint8Array>();
  const texts = args.map((arg, index) => {
    if (typeof arg === "string") return arg;
    raw.set(index, arg);
    return new TextDecoder().decode(arg);
  });
  const named = { name, args: texts };
  return raw.size === 0 ? named : { ...named, raw };
}

function itemsOf(reader: NetstringReader): Argument[] {
  const items: Argument[] = [];
  while (reader.next()) items.push(reader.textOrBytes());
  return items;
}

/** A whole frame with this message. `attached` says that a descriptor goes with it; `pairs` are for the first generation. */
export function encodeFrame(
  name: string,
  args: readonly Argument[],
  attached: boolean,
  generation: Generation = 2,
  pairs: Pairs = {},
): Uint8Array {
  if (generation === 2) return frameOf([], [[name, ...args]], attached);
  const all: [string, readonly Argument[]][] = [[COMMAND, [name, ...args]], ...Object.entries(pairs)];
  const keys = all.map(([key]) => key);
  return frameOf(
    keys,
    all.map(([, values]) => values),
    attached,
  ); // B-16
}

/** A list, or as many lists as there are keys, each behind its own. */
function frameOf(
  keys: readonly string[],
  lists: readonly (readonly Argument[])[],
  attached: boolean,
): Uint8Array {
  const pieces: Uint8Array[] = keys.length === 0 ? [] : [encodeUtf8(PAIRS)];
  lists.forEach((list, index) => {
    const key = keys[index];
    if (key !== undefined) pieces.push(netstringOf([encodeUtf8(key)], false));
    const items = list.map((item) => (typeof item === "string" ? encodeUtf8(item) : item));
    pieces.push(netstringOf(items, true));
  });
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (length >= ATTACHED) throw LintelError.of("TOO_LARGE", "the message does not fit a frame");
  const frame = new Uint8Array(HEADER_SIZE + length);
  new DataView(frame.buffer).setUint32(0, attached ? length + ATTACHED : length);
  let at = HEADER_SIZE;
  for (const piece of pieces) {
    frame.set(piece, at);
    at += piece.length;
  }
  return frame;
}

/** A netstring of these bytes, or, of a list, of a netstring for each. */
function netstringOf(items: readonly Uint8Array[], isList: boolean): Uint8Array {
  const content = items.reduce((sum, { length }) => sum + (isList ? sizeOf(length) : length), 0);
  const bytes = new Uint8Array(sizeOf(content));
  let at = writeLength(bytes, 0, content);
  for (const item of items) {
    if (isList) at = writeLength(bytes, at, item.length);
    bytes.set(item, at);
    at += item.length;
    if (isList) bytes[at++] = COMMA;
  }
  bytes[at] = COMMA;
  return bytes;
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
