/** How codecs refuse values and payloads. */
import { LintelError } from "../message/failure.ts";

/** How deep values may be nested, unless their codec says otherwise. Enough for data; no danger to any stack. */
export const MAX_DEPTH = 100;

/** For bytes that are not what their content type says. The offset counts from the first byte of the payload. */
export function undecodable(format: string, why: string, offset?: number, cause?: unknown): LintelError {
  const where = offset === undefined ? "" : ` at offset ${offset}`;
  return LintelError.of("BAD_PAYLOAD", `the payload is not ${format}: ${why}${where}`, cause);
}

/** For a value that a codec cannot carry. */
export function unwritable(format: string, why: string, cause?: unknown): LintelError {
  return LintelError.of("BAD_PAYLOAD", `the value cannot be written as ${format}: ${why}`, cause);
}

/** A value deeper than a codec takes; cyclic values are. */
export function tooDeep(format: string): LintelError {
  return unwritable(format, `it is nested deeper than ${MAX_DEPTH}, or contains itself`);
}

/** What `write` gives; what a getter or a `toJSON` of the value throws becomes the cause of an error of the codec. */
export function writingAs<T>(format: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof LintelError) throw error;
    throw unwritable(format, error instanceof Error ? error.message : String(error), error);
  }
}
