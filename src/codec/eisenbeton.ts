/**
 * The two FlatBuffers tables of eisenbeton. Handlers in other languages were made for these bytes, so they are laid out
 * just as the builder of FlatBuffers does when it is given the fields in the order of the original.
 */
import { callable, type CallableCodec } from "./callable.ts";
import type { CodecSupports } from "./codec.ts";
import { FlatReader } from "./flat-reader.ts";
import { FlatWriter, bytesPiece, textPiece, type FlatPiece } from "./flat-writer.ts";
import { unwritable } from "./refusal.ts";

/** Table `eisenbeton.wire.request.EisenRequest`: an HTTP request. */
export interface EisenRequest {
  /** As it was sent, with the query. */
  readonly uri: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly method: string;
  /** Empty when the request has none. */
  readonly contentType: string;
  readonly content: Uint8Array;
}

/** Table `eisenbeton.wire.response.EisenResponse`: the answer. */
export interface EisenResponse {
  /** 0 means 200. */
  readonly status: number;
  /** In order; a name may come again. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly content: Uint8Array;
}

const SUPPORTS: CodecSupports = { kinds: [], depth: 3, empty: false, strict: true };

export const eisenRequest: CallableCodec = callable({
  name: "eisen-request",
  contentType: "application/x-flatbuffers;message=eisenbeton.wire.request.EisenRequest",
  supports: SUPPORTS,
  encode: encodeRequest,
  decode: decodeRequest,
  transfer(value) {
    const bytes = encodeRequest(value);
    return decodeRequest(bytes, 0, bytes.length);
  },
});

export const eisenResponse: CallableCodec = callable({
  name: "eisen-response",
  contentType: "application/x-flatbuffers;message=eisenbeton.wire.response.EisenResponse",
  supports: SUPPORTS,
  encode: encodeResponse,
  decode: decodeResponse,
  transfer(value) {
    const bytes = encodeResponse(value);
    return decodeResponse(bytes, 0, bytes.length);
  },
});

function encodeRequest(value: unknown): Uint8Array {
  if (!isRequest(value)) throw unwritable("EisenRequest", "fields are missing or of another type");
  const pieces = [
    bytesPiece(value.content),
    ...[value.contentType, value.method, value.path, value.uri].map(textPiece),
  ];
  const out = new FlatWriter(pieces.reduce((size, piece) => size + piece.size, 44));
  out.i32(20); // where the table is
  out.u16(0); // the vtable ends where the table begins, which is aligned
  out.u16(14, 24, 20, 16, 12, 8, 4); // its size, the table's, and where the fields are
  out.i32(14); // how far before the table its vtable is
  let to = 44;
  for (const piece of pieces) {
    out.offset(to);
    to += piece.size;
  }
  for (const piece of pieces) out.piece(piece);
  return out.bytes;
}

function decodeRequest(bytes: Uint8Array, start: number, end: number): EisenRequest {
  const table = new FlatReader(bytes, start, end).root();
  return {
    uri: table.text(0),
    path: table.text(1),
    method: table.text(2),
    contentType: table.text(3),
    content: table.binary(4),
  };
}

/** A header's table, and the texts that follow it. */
interface HeaderPieces {
  readonly key: FlatPiece;
  readonly value: FlatPiece;
  readonly size: number;
}

const HEADER_VTABLE_SIZE = 8;
const HEADER_TABLE_SIZE = 12;

function encodeResponse(value: unknown): Uint8Array {
  if (!isResponse(value)) throw unwritable("EisenResponse", "fields are missing or of another type");
  const content = bytesPiece(value.content);
  const headers = value.headers.map(([name, text]): HeaderPieces => {
    const key = textPiece(name);
    const piece = textPiece(text);
    return { key, value: piece, size: HEADER_TABLE_SIZE + key.size + piece.size };
  });
  // A field with its default value, 0, is left out, and so is the room for it.
  const table = value.status === 0 ? 12 : 16;
  const vectorAt = 16 + table + content.size;
  const tail = headers.reduce(
    (size, header) => size + header.size,
    headers.length > 0 ? HEADER_VTABLE_SIZE : 0,
  );
  const out = new FlatWriter(vectorAt + 4 + headers.length * 4 + tail);
  out.i32(16);
  out.u16(0, 10, table, value.status === 0 ? 0 : 12, 8, 4);
  out.i32(10);
  out.offset(16 + table);
  out.offset(vectorAt);
  if (value.status !== 0) out.i32(value.status);
  out.piece(content);
  writeHeaders(out, headers);
  return out.bytes;
}

/** Builders write back to front: the last header comes first, and all share the vtable before the first header. */
function writeHeaders(out: FlatWriter, headers: readonly HeaderPieces[]): void {
  const firstAt = out.at + 4 + headers.length * 4;
  const sizes = headers.reduce((size, header) => size + header.size, 0);
  const vtable = firstAt + sizes - (headers[0]?.size ?? 0);
  const positions: number[] = [];
  let at = vtable + HEADER_VTABLE_SIZE;
  for (const [index, header] of headers.entries()) {
    if (index === 1) at = vtable;
    at -= index === 0 ? 0 : header.size;
    positions.push(at);
  }
  out.i32(headers.length);
  for (const position of positions) out.offset(position);
  for (let index = headers.length - 1; index >= 0; index--) {
    const { key, value } = headers[index]!;
    if (index === 0) out.u16(HEADER_VTABLE_SIZE, HEADER_TABLE_SIZE, 8, 4);
    out.i32(out.at - vtable);
    out.offset(out.at + 8);
    out.offset(out.at + 4 + value.size);
    out.piece(value);
    out.piece(key);
  }
}

function decodeResponse(bytes: Uint8Array, start: number, end: number): EisenResponse {
  const table = new FlatReader(bytes, start, end).root();
  return {
    status: table.i32(0),
    headers: table.tables(1, (header) => [header.text(0), header.text(1)] as const),
    content: table.binary(2),
  };
}

function isRequest(value: unknown): value is EisenRequest {
  if (typeof value !== "object" || value === null) return false;
  const { uri, path, method, contentType, content } = value as Partial<EisenRequest>;
  return (
    [uri, path, method, contentType].every((text) => typeof text === "string") &&
    content instanceof Uint8Array
  );
}

function isResponse(value: unknown): value is EisenResponse {
  if (typeof value !== "object" || value === null) return false;
  const { status, headers, content } = value as Partial<EisenResponse>;
  if (!Number.isInteger(status) || (status! | 0) !== status || !(content instanceof Uint8Array)) return false;
  return Array.isArray(headers) && headers.every(isPair);
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((text) => typeof text === "string");
}
