import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { LintelError } from "../../message/failure.ts";

/** Fields one message may have: as many as an HTTP request may have header fields. */
const MAX_FIELDS = 1_000;
/** Fields of FromWorker that are known. */
const LAST_KNOWN = 6;

/**
 * Counts the fields of a FromWorker and of what is in it, before they are made: an empty header of two bytes becomes an
 * object of a hundred. Throws `BAD_FRAME` for too many, and what the reader throws for what is malformed.
 */
export function checkFieldCount(bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  let count = 0;
  let inner = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (++count > MAX_FIELDS) throw LintelError.of("BAD_FRAME", `more than ${MAX_FIELDS} fields`);
    // What is in the one message of a FromWorker is walked through as if it stood here.
    if (reader.pos >= inner && type === WireType.LengthDelimited && field <= LAST_KNOWN) {
      const length = reader.uint32();
      inner = reader.pos + length;
    } else reader.skip(type, field);
  }
}
