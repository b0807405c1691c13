import { randomBytes } from "node:crypto";
import { subjectOf } from "../../message/foreign-name.ts";

const LENGTH = 20;
/** base32hex (RFC 4648, section 7) in lower case. */
const ALPHABET = "0123456789abcdefghijklmnopqrstuv";

/** Names a connection: 20 characters, 100 random bits. */
export function newGuid(): string {
  let guid = "";
  for (const byte of randomBytes(LENGTH)) guid += ALPHABET[byte & 31]!;
  return guid;
}

/** The channel of a connection, which others publish to. */
export function privateSubject(guid: string): string {
  return subjectOf(`MSG:${guid}`)!; // short, and not empty
}
