/** What was refused before anything was asked of an engine, since the start. */
export interface AccessStats {
  /** Credentials that were not good. */
  readonly failedAttempts: number;
  /** Credentials that were not looked at, because too many from their address were not good. */
  readonly slowedAttempts: number;
  /** What was over the limits of a principal. */
  readonly overLimit: number;
}
