/** When a caller may come again: the `Retry-After` header, in seconds. */
import { retryDelayOf, type Failure } from "../../message/failure.ts";

/** What is refused or not ready now may succeed a second later. */
const RETRY_AFTER_SECONDS = "1";

/** Names and values in turn. */
export const RETRY_AFTER: readonly string[] = ["Retry-After", RETRY_AFTER_SECONDS];

/** The header for a failure: only where a retry is safe, and may help. */
export function retryAfter(status: number, failed: Failure): readonly string[] {
  if (!failed.retryable || (status !== 503 && status !== 429)) return [];
  const delay = retryDelayOf(failed);
  return delay === undefined ? RETRY_AFTER : ["Retry-After", String(Math.max(1, Math.ceil(delay / 1_000)))];
}
