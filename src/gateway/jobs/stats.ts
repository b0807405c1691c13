/** What the gateway for workers over plain HTTP counts: all of it now, not since the start. */
export type JobsStats = {
  /** Polls that wait for a job. */
  readonly polls: number;
  /** Services that are polled, or configured. */
  readonly services: number;
  /** Jobs that workers have and have not answered. */
  readonly jobs: number;
};
