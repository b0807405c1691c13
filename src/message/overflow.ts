/**
 * What becomes of publications for a subscriber that does not keep up: the new ones are dropped, the oldest are, or the
 * subscriber is cut off and may begin anew. In the protocol a policy is its place in this list (P-51); where several
 * apply, the last counts.
 */
export const OVERFLOWS = ["drop-newest", "drop-oldest", "disconnect"] as const;

export type Overflow = (typeof OVERFLOWS)[number];

/** A policy that is none is a mistake of the caller. */
export function checkOverflow(overflow: Overflow): Overflow {
  if (OVERFLOWS.includes(overflow)) return overflow;
  throw new TypeError(`overflow is ${JSON.stringify(overflow)}, it must be one of ${OVERFLOWS.join(", ")}`);
}
