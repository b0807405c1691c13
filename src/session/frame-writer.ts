import type { Failure } from "../message/failure.ts";
import { LintelError } from "../message/failure.ts";
import { formatHeaders, type HeadersInit } from "../message/headers.ts";
import { Format, encodedBy, type Message } from "../message/message.ts";
import { sizeOf } from "../message/bytes.ts";
import { encodeUtf8, maxUtf8Length, writeUtf8 } from "../message/text.ts";
import {
  CARRIES_STREAMS,
  HEADER_SIZE,
  TIMEOUT_SIZE,
  writeHeader,
  writeU32,
  FrameType,
} from "../wire/frame.ts";

/** Where frames are written: `reserve` room, write from `offset` on, then `advance`. */
export interface FrameBuffer {
  readonly offset: number;
  reserve(size: number): Uint8Array;
  advance(offset: number): void;
}

/** The largest payload and header block that an end accepts. */
export interface BodyLimits {
  readonly payload: number;
  readonly headers: number;
}

/** Longest text of a failure, in UTF-16 units. */
const MAX_FAILURE_TEXT = 2_048;

/** A frame without payload. `text`, if any, is the body. */
export function writeControl(
  outbox: FrameBuffer,
  type: FrameType,
  aux: number,
  target: number,
  id: number,
  text = "",
): void {
  const slab = outbox.reserve(HEADER_SIZE + maxUtf8Length(text));
  const at = outbox.offset;
  const length = writeUtf8(slab, text, at + HEADER_SIZE);
  writeHeader(slab, at, length, type, 0, aux, target, id);
  outbox.advance(at + HEADER_SIZE + length);
}

/** A frame whose body is a header block. */
export function writeHeaderFrame(
  outbox: FrameBuffer,
  type: FrameType,
  target: number,
  id: number,
  headers: HeadersInit,
): void {
  const block = formatHeaders(headers);
  const slab = outbox.reserve(HEADER_SIZE + maxUtf8Length(block));
  const at = outbox.offset;
  const length = writeUtf8(slab, block, at + HEADER_SIZE);
  writeHeader(slab, at, length, type, 0, length, target, id);
  outbox.advance(at + HEADER_SIZE + length);
}

/** Details past this size are left out: the error matters more than its details. */
const MAX_DETAILS = 65_536;
const NO_DETAILS = new Uint8Array(0);

/**
 * ERROR, REFUSED, GOAWAY and CLOSE: code, reason and text as a header block, details as payload unless they are longer
 * than the receiver takes.
 */
export function writeFailure(
  outbox: FrameBuffer,
  type: FrameType,
  target: number,
  id: number,
  why: Failure,
  maxPayload: number,
): void {
  // Line ends and other control characters of a message would break its header line.
  // oxlint-disable-next-line no-control-regex -- control characters are what it must find
  const text = why.message.replaceAll(/[\u0000-\u001f\u007f]+/g, " ").slice(0, MAX_FAILURE_TEXT);
  let block = `code:${why.code}\nreason:${why.reason}\nmessage:${text}\n`;
  if (why.retryable) block += "retryable:true\n";
  const size = sizeOf(why.details);
  const fits = size > 0 && size === why.details?.length && size <= Math.min(MAX_DETAILS, maxPayload);
  const details = (fits ? why.details : undefined) ?? NO_DETAILS; // P-71
  const slab = outbox.reserve(HEADER_SIZE + maxUtf8Length(block) + details.length);
  const at = outbox.offset;
  const head = writeUtf8(slab, block, at + HEADER_SIZE);
  slab.set(details, at + HEADER_SIZE + head);
  writeHeader(slab, at, head + details.length, type, 0, head, target, id);
  outbox.advance(at + HEADER_SIZE + head + details.length);
}

/** Up to this many bytes a loop copies faster than a call into the platform, and a view for it. */
const SHORT_COPY = 32;

function copyPart(message: Message, start: number, end: number, to: Uint8Array, at: number): void {
  const { bytes } = message;
  const length = end - start;
  if (length <= SHORT_COPY)
    for (let index = 0; index < length; index++) to[at + index] = bytes[start + index]!;
  else to.set(length === bytes.length ? bytes : message.view(start, end), at);
}

/**
 * REQUEST, REPLY and PUBLISH: `timeout`, if not negative, goes first, then header block and payload.
 * Throws `TOO_LARGE` or `HEADERS_TOO_LARGE` when the receiver would not take it; nothing is sent then.
 */
export function writeMessage(
  outbox: FrameBuffer,
  type: FrameType,
  target: number,
  id: number,
  message: Message,
  timeout: number,
  limits: BodyLimits,
): void {
  const prefix = timeout < 0 ? HEADER_SIZE : HEADER_SIZE + TIMEOUT_SIZE;
  const { head, encoder } = message;
  const headRoom = head === undefined ? message.payloadStart - message.headStart : maxUtf8Length(head);
  const encoded = encoder === undefined ? undefined : encodedBy(encoder, message.value);
  // Memory that a connection has read into belongs to it, and needs no check.
  if (message.loan === undefined && message.end > 0 && sizeOf(message.bytes) < message.end) throw torn();
  const payloadRoom =
    encoded === undefined
      ? message.end - message.payloadStart
      : typeof encoded === "string"
        ? maxUtf8Length(encoded)
        : encoded.length;
  const slab = outbox.reserve(prefix + headRoom + payloadRoom);
  const at = outbox.offset;
  const headAt = at + prefix;
  let payloadAt = headAt;
  if (head === undefined) {
    copyPart(message, message.headStart, message.payloadStart, slab, headAt);
    payloadAt += headRoom;
  } else if (head !== "") {
    payloadAt += writeUtf8(slab, head, headAt);
  }
  let end = payloadAt;
  if (encoded === undefined) {
    copyPart(message, message.payloadStart, message.end, slab, payloadAt);
    end += payloadRoom;
  } else if (typeof encoded === "string") {
    end += writeUtf8(slab, encoded, payloadAt);
  } else {
    slab.set(encoded, payloadAt);
    end += encoded.length;
  }
  if (end - payloadAt > limits.payload || payloadAt - headAt > limits.headers) {
    throw tooLarge(payloadAt - headAt, end - payloadAt, limits);
  }
  const flags = message.streams === undefined ? message.format : message.format | CARRIES_STREAMS;
  writeHeader(slab, at, end - at - HEADER_SIZE, type, flags, payloadAt - headAt, target, id);
  if (timeout >= 0) writeU32(slab, at + HEADER_SIZE, timeout);
  outbox.advance(end);
}

/** Largest payload of one DATA frame of a byte stream: with its header it fits a slab. */
const MAX_CHUNK = 262_144;

/** Bytes from this size on are worth a write of their own, without copying them. */
const LEAST_BODY = 16_384;

/** Where bytes may also be sent from where they lie. */
interface BodyBuffer extends FrameBuffer {
  readonly takesBody: boolean;
  sendBody(body: Uint8Array): void;
}

/** The payload of a byte stream's message, in as many DATA as it takes. */
export function writeBytes(outbox: BodyBuffer, stream: number, message: Message, maxPayload: number): void {
  const most = Math.min(MAX_CHUNK, maxPayload);
  if (sizeOf(message.bytes) < message.end) throw torn();
  for (let at = message.payloadStart; at < message.end; at += most)
    writeChunk(outbox, stream, message, at, Math.min(at + most, message.end));
}

/** One DATA. Large bytes that are not lent go out from where they lie. */
function writeChunk(outbox: BodyBuffer, stream: number, message: Message, start: number, end: number): void {
  const size = end - start;
  const bytes = message.view(start, end);
  const mayStay = size >= LEAST_BODY && message.loan === undefined;
  if (mayStay) outbox.reserve(HEADER_SIZE); // what this sends may fill the connection
  const isBody = mayStay && outbox.takesBody;
  const slab = outbox.reserve(isBody ? HEADER_SIZE : HEADER_SIZE + size);
  const at = outbox.offset;
  writeHeader(slab, at, size, FrameType.data, Format.bytes, 0, stream, 0);
  if (!isBody) slab.set(bytes, at + HEADER_SIZE);
  outbox.advance(at + HEADER_SIZE + (isBody ? 0 : size));
  if (isBody) outbox.sendBody(bytes);
}

/**
 * Slabs are not cleared, so what is not written would be sent as whatever was there before. Lengths that the platform does
 * not confirm are of memory that was given away or has shrunk, or of what is no array of bytes.
 */
function torn(): LintelError {
  return LintelError.of(
    "BAD_PAYLOAD",
    "the payload is incomplete: it is not a Uint8Array, or its memory was transferred",
  );
}

/** Throws what sending it would, of a message whose payload is bytes. */
export function checkSize(
  { head, headStart, payloadStart, end }: Message,
  { maxPayload, maxHeaders }: { readonly maxPayload: number; readonly maxHeaders: number },
): void {
  const headSize = head === undefined ? payloadStart - headStart : encodeUtf8(head).length;
  const payload = end - payloadStart;
  if (payload <= maxPayload && headSize <= maxHeaders) return;
  throw tooLarge(headSize, payload, { payload: maxPayload, headers: maxHeaders });
}

function tooLarge(head: number, payload: number, limits: BodyLimits): LintelError {
  if (payload > limits.payload) {
    return LintelError.of(
      "TOO_LARGE",
      `a payload of ${payload} bytes is over the limit of ${limits.payload}`,
    );
  }
  return LintelError.of(
    "HEADERS_TOO_LARGE",
    `a header block of ${head} bytes is over the limit of ${limits.headers}`,
  );
}
