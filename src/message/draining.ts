import { failure, type Failure } from "./failure.ts";

/** How long a drain may take. Milliseconds. */
export const DRAIN_GRACE_MS = 10_000;

/** What is left then fails with this. */
export const OVERDUE: Failure = Object.freeze(
  failure("DRAINING", "it was shut down before the request was answered"),
);
