/** How gRPC says that a call has ended: a number, a text, and the reason in a header of our own. */
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { retryDelayOf, type Failure } from "../../message/failure.ts";
import { CODES } from "../../message/status.ts";

export const GRPC_TYPE = "application/grpc";

/** The trailers of a call that has ended, well if there is no failure. */
export function trailersOf(why: Failure | undefined): OutgoingHttpHeaders {
  if (why === undefined) return { "grpc-status": "0" };
  const delay = retryDelayOf(why);
  return {
    ...(delay === undefined ? {} : { "grpc-retry-pushback-ms": String(Math.ceil(delay)) }), // W-3
    "grpc-status": String(CODES[why.code].wire),
    "grpc-message": percentEncoded(why.message),
    "lintel-reason": why.reason,
  };
}

/** Answers a call by its status alone. */
export function answerStatus(stream: ServerHttp2Stream, why: Failure): void {
  const accepted = why.code === "unimplemented" ? { "grpc-accept-encoding": "identity" } : {};
  stream.respond(
    { ":status": 200, "content-type": GRPC_TYPE, ...accepted, ...trailersOf(why) },
    { endStream: true },
  );
}

/** As gRPC wants it: UTF-8, with all but printable ASCII, and the sign itself, as `%XX`. */
function percentEncoded(text: string): string {
  let encoded = "";
  for (const byte of new TextEncoder().encode(text.slice(0, 1_024))) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCodePoint(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
