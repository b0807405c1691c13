const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** The bit that `{` and `}` have, and `[` and `]` lack. */
const BRACE_BIT = 0x20;
const OPENING = 0x7b;
const CLOSING = 0x7d;

/** Where a JSON text first nests arrays and objects deeper than `most`; -1 if it does not. What is no JSON may do either. */
export function deeperThan(most: number, bytes: Uint8Array, start: number, end: number): number {
  if (end - start <= 2 * most) return -1; // each level takes two bytes
  let depth = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      // In the same loop, not in a function of its own: strings are most of a text.
      for (at++; at < end && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if ((byte | BRACE_BIT) === OPENING) {
      if (++depth > most) return at;
    } else if ((byte | BRACE_BIT) === CLOSING) {
      depth--;
    }
  }
  return -1;
}
