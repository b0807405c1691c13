/** Header fields that concern one connection and never cross the gateway (RFC 9110, section 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** True for a lower-case field name that stays on its connection. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name) || name.startsWith("proxy-");
}

/** Lower-case field names that a `Connection` value makes hop-by-hop. A set: there may be as many as there are fields. */
export function namedByConnection(value: string): Set<string> {
  const named = new Set(value.split(",").map((token) => token.trim().toLowerCase()));
  named.delete("");
  return named;
}
