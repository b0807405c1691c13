/** How long a caller should wait that was refused for now. It travels in the details of a failure, as `{ "retryAfterMs": 120 }`. */

/** Longer delays are told as this. Milliseconds. */
const MAX_DELAY = 3_600_000;

/** Details that name a delay. A part of a millisecond counts as one. */
export function delayDetails(delayMs: number): Uint8Array {
  const retryAfterMs = Math.max(1, Math.ceil(Math.min(delayMs, MAX_DELAY)));
  return new TextEncoder().encode(`{"retryAfterMs":${retryAfterMs}}`);
}

/** Milliseconds until a retry may succeed, where details, which may come from anywhere, say so. */
export function delayOf(details: unknown): number | undefined {
  const delay = (details as { readonly retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
  return typeof delay === "number" && delay >= 0 ? Math.min(delay, MAX_DELAY) : undefined;
}
