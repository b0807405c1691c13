/** Bodies of requests that are compressed (RFC 9110, section 8.4), within the same bounds as others. */
import { brotliDecompress, gunzip, inflate, inflateRaw, type InputType } from "node:zlib";
import { failure, type Failure } from "../../message/failure.ts";
import { BODIES_FULL, type BodyBudget } from "./body-limit.ts";
import type { Exchange } from "./connection.ts";

type Decode = (
  body: InputType,
  options: { maxOutputLength: number },
  then: (error: Error | null, decoded: Buffer) => void,
) => void;

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ["gzip", gunzip],
  ["x-gzip", gunzip],
  ["deflate", (body, options, then) => (hasZlibHeader(body) ? inflate : inflateRaw)(body, options, then)],
  ["br", brotliDecompress],
]);
/** Those that are read, as a header names them. */
export const CODINGS = "gzip, deflate, br";

/** Some senders leave the header of zlib out that `deflate` has. */
function hasZlibHeader(body: InputType): boolean {
  return body instanceof Uint8Array && (body[0]! & 0x0f) === 8 && ((body[0]! << 8) | body[1]!) % 31 === 0;
}

/** Notes how the body of a request is compressed. Its worker gets it as it was before, without the header. */
export function takeCoding(exchange: Exchange, named: string | undefined): Failure | undefined {
  if (named === undefined || exchange.target?.mode === "app") return undefined;
  const coding = named.trim().toLowerCase();
  if (coding !== "identity" && coding !== "") {
    if (!DECODERS.has(coding))
      return failure("UNSUPPORTED_MEDIA_TYPE", `the supported content codings are ${CODINGS}`);
    exchange.coding = coding;
  }
  exchange.head = exchange.head.replace(/^content-encoding:.*\n/gm, "");
  return undefined;
}

/**
 * Reads the body of an exchange that is compressed, off the loop. `then` is told of what it is, of `TOO_LARGE` as soon as
 * that is more than `most` bytes, or of `BAD_PAYLOAD`; of nothing when the exchange is over by then.
 */
export function decodeBody(
  exchange: Exchange,
  body: Uint8Array,
  most: number,
  bodies: BodyBudget,
  then: (outcome: Uint8Array | Failure) => void,
): void {
  const { caller } = exchange.connection;
  // The most it may become, because its real size is unknown.
  const more = Math.max(0, most - exchange.held);
  if (!bodies.take(caller, more)) return then(BODIES_FULL);
  exchange.held += more;
  DECODERS.get(exchange.coding!)!(body, { maxOutputLength: most }, (error, decoded) => {
    if (exchange.isDone) return undefined;
    const size = error === null ? decoded.length : 0;
    bodies.give(caller, exchange.held - size);
    exchange.held = size;
    if (error === null) return then(decoded);
    if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
      return then(
        failure("TOO_LARGE", `the body is over the limit of ${most} bytes when it is decompressed`),
      );
    return then(failure("BAD_PAYLOAD", `the body is not compressed with ${exchange.coding}, as it says`));
  });
}
