/** When a caller may come again: the `Retry-After` header, in seconds. */
import type { Failure } from "../../message/failure.ts";

/** What is refused or not ready now may succeed a second later. */
const RETRY_AFTER_SECONDS = "1";

/** Names and values in turn. */
export const RETRY_AFTER: readonly string[] = ["Retry-After", RETRY_AFTER_SECONDS];

/** The header for a failure: only where a retry is safe, and may help. */
export function retryAfter(status: number, failed: Failure): readonly string[] {
  return status === 503 && failed.retryable ? RETRY_AFTER : [];
}
