/** What goes over the wire in the HTTP/1 fallback. Clauses F-n are in docs/guides/transports-http.md. */
import { randomBytes } from "node:crypto";

/** F-2: what both ends call the bytes, in either direction. */
export const CONTENT_TYPE = "application/lintel.v1+http1";

/** F-12, F-22: bytes of the upward stream that have been taken. */
export const RECEIVED = "lintel-received";

/** F-24: the most that one upload carries. Proxies commonly take 1 MiB. */
export const MAX_UPLOAD = 1_048_576;

/** An id is 128 random bits in base64url. */
const ID_BYTES = 16;
const ID = "[A-Za-z0-9_-]{22}";

/** F-6: what comes before the first byte of the downward stream. */
const PREAMBLE = new RegExp(`^lintel\\.v1 (${ID})\\n$`);
export const PREAMBLE_SIZE = 33;

const UPLOAD = new RegExp(`^/(${ID})/(0|[1-9][0-9]{0,15})$`);
const CONNECTION = new RegExp(`^/(${ID})$`);

/** What a path below the one of the listener means. */
export interface Target {
  readonly id: string;
  /** Where the bytes of an upload belong; undefined when the target is the connection itself. */
  readonly offset: number | undefined;
}

export function newId(): string {
  return randomBytes(ID_BYTES).toString("base64url");
}

export function writePreamble(id: string): string {
  return `lintel.v1 ${id}\n`;
}

/** The id, or undefined when these are not the bytes that a Lintel begins with. */
export function readPreamble(bytes: Buffer): string | undefined {
  return PREAMBLE.exec(bytes.toString("latin1"))?.[1];
}

/** Undefined when it means nothing. `rest` is what follows the listener's path. */
export function readTarget(rest: string): Target | undefined {
  const upload = UPLOAD.exec(rest);
  if (upload !== null) return { id: upload[1]!, offset: Number(upload[2]) };
  const connection = CONNECTION.exec(rest);
  return connection === null ? undefined : { id: connection[1]!, offset: undefined };
}
