import type { RestartPolicy } from "../config/services.ts";

/** After this much uptime the restart count begins again at zero. Milliseconds. */
export const STEADY_MS = 10_000;

/** How one life of an instance went. */
export interface Life {
  /** How it ended, in words. */
  readonly how: string;
  readonly isFailure: boolean;
  /** Milliseconds. */
  readonly ranMs: number;
}

export type Verdict = "again" | "failed" | "ended";

/** What happens to an instance that has ended by itself, `failures` times in a row too soon. */
export function judge({ policy, attempts }: RestartPolicy, life: Life, failures: number): Verdict {
  if (policy === "never" || (policy === "on-failure" && !life.isFailure))
    return life.isFailure ? "failed" : "ended";
  return attempts !== undefined && failures >= attempts ? "failed" : "again";
}
