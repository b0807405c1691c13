/**
 * `RateLimit-Policy` and `RateLimit`: what a principal may use, and what is left of it
 * (draft-ietf-httpapi-ratelimit-headers-11). Both are lists of structured fields (RFC 9651).
 */
import type { Quota } from "../../access/quota/quota.ts";
import type { TokenBucket } from "../../access/quota/token-bucket.ts";

/** Structured fields have no larger integers. */
const MAX_INTEGER = 999_999_999_999_999;

/** Names and values in turn, for a response; none where neither requests nor bytes are limited. */
export function rateLimitFields(quota: Quota): readonly string[] {
  const { requestBucket, byteBucket, now } = quota;
  const policies: string[] = [];
  const states: string[] = [];
  const add = (name: string, unit: string, bucket: TokenBucket | undefined): void => {
    if (bucket === undefined) return;
    policies.push(`"${name}";q=${integer(Math.floor(bucket.capacity))}${unit};w=${seconds(bucket.window)}`);
    const left = integer(Math.floor(Math.max(0, bucket.tokens(now))));
    states.push(`"${name}";r=${left};t=${seconds(bucket.waitUntilFull(now) / 1_000)}`);
  };
  add("requests", "", requestBucket);
  add("bytes", ';qu="content-bytes"', byteBucket);
  if (policies.length === 0) return [];
  return ["RateLimit-Policy", policies.join(", "), "RateLimit", states.join(", ")];
}

/** Of a bucket that never fills, the largest there is. */
function seconds(time: number): number {
  return Number.isNaN(time) ? 0 : integer(Math.ceil(time));
}

function integer(number: number): number {
  return Math.min(MAX_INTEGER, number);
}
