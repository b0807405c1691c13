import type { Socket } from "node:net";

const CR = 13;
const LF = 10;

/** As much of Node's parser as is asked here; its types do not have it. */
interface Parsed {
  readonly parser?: { getCurrentBuffer?(): Uint8Array } | null;
}

/**
 * True when the first request of a connection, which is being parsed, comes after a CR or LF of its own. Node's parser skips
 * any of them. Only empty lines may be skipped (RFC 9112, 2.2): others on the way may read the rest differently.
 */
export function hasStrayLineEnd(socket: Socket): boolean {
  const bytes = (socket as Parsed).parser?.getCurrentBuffer?.();
  if (bytes === undefined) return false;
  let at = 0;
  while (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return bytes[at] === CR || bytes[at] === LF;
}
