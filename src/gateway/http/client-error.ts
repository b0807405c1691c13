/** What node's HTTP parser and its clocks refuse, said as failures. */
import { failure, type Failure } from "../../message/failure.ts";

/** The error node reports with `clientError`. */
export interface ClientError extends Error {
  readonly code?: string;
  readonly rawPacket?: Buffer;
}

const CR = 13;
const SPACE = 32;

/** The failure to answer with; undefined if the caller is gone, or an answer is already on its way. */
export function failureOfClientError(error: ClientError): Failure | undefined {
  const { code } = error;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return failure("REQUEST_TIMEOUT");
  if (code === "HPE_HEADER_OVERFLOW") {
    return failure(
      error.rawPacket !== undefined && isCutInTarget(error.rawPacket) ? "URI_TOO_LONG" : "HEADERS_TOO_LARGE",
    );
  }
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW")
    return failure("TOO_LARGE", "the chunk extensions are over the limit");
  if (code?.startsWith("HPE_") === true) return failure("BAD_REQUEST");
  return undefined; // the socket's own error: the caller is gone
}

/** True when the packet is the beginning of a request whose target does not end in it. */
function isCutInTarget(packet: Buffer): boolean {
  const space = packet.indexOf(SPACE);
  return space > 0 && space < 20 && packet.indexOf(SPACE, space + 1) < 0 && packet.indexOf(CR) < 0;
}
